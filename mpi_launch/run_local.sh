#!/usr/bin/env bash
# A search on this machine, resumed by itself when it was interrupted.
#   mpi_launch/run_local.sh RANKS RUN_DIR [options of edgeloop-search]
# Ctrl-C stops after a checkpoint; the same command goes on from there. (The exit code is then mpirun's
# own, 1; a time limit or SIGUSR1 gives 75.)
set -euo pipefail
[ "$#" -ge 2 ] || { sed -n '2,5p' "$0" >&2; exit 2; }
ranks=$1
run=$2
shift 2
EDGELOOP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=mpi_launch/systems/generic.sh
. "$EDGELOOP_ROOT/mpi_launch/systems/generic.sh"
resume=()
[ ! -e "$run/journal.jsonl" ] || resume=(--resume)
run_with_mpi "$ranks" "$EDGELOOP_ROOT/build/release/bin/edgeloop-search" --run-dir "$run" \
    "${resume[@]}" "$@"
