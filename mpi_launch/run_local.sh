#!/usr/bin/env bash
# A search on this machine, resumed by itself when it was interrupted.
#   mpi_launch/run_local.sh RANKS RUN_DIR [options of edgeloop-search]
# Ctrl-C stops after a checkpoint with exit code 75; the same command goes on from there.
# EDGELOOP_BUILD names another build folder than build/release.
set -euo pipefail
[ "$#" -ge 2 ] || { sed -n '2,6p' "$0" >&2; exit 2; }
ranks=$1
run=$2
shift 2
EDGELOOP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=mpi_launch/systems/generic.sh
. "$EDGELOOP_ROOT/mpi_launch/systems/generic.sh"
resume=()
[ ! -e "$run/journal.jsonl" ] || resume=(--resume)
# shellcheck source=mpi_launch/environment.sh
. "$EDGELOOP_ROOT/mpi_launch/environment.sh"
build=${EDGELOOP_BUILD:-$EDGELOOP_ROOT/build/release}
[ -d "$build/bin" ] || build=$EDGELOOP_ROOT/../..  # installed: share/edgeloop of a prefix
if [ ! -x "$build/bin/edgeloop-search" ]; then
    echo "run_local.sh: there is no $build/bin/edgeloop-search: run mpi_launch/build.sh, or name the folder in EDGELOOP_BUILD" >&2
    exit 3
fi
run_until_stopped run_with_mpi "$ranks" "$build/bin/edgeloop-search" --run-dir "$run" \
    "${resume[@]}" "$@"
