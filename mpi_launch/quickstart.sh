#!/usr/bin/env bash
# From a fresh clone to a Pareto front: installs, builds, makes a small dataset in the RAISE-LPBF layout,
# and searches with three MPI ranks while an edge process on this machine measures every design.
#   mpi_launch/quickstart.sh [options of edgeloop-search, e.g. --seed 7]
# Ctrl-C stops after a checkpoint with exit code 75; the same command goes on from there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
bin=build/release/bin
run=runs/quickstart
data=runs/quickstart-data-3  # of version 2 of the generator, cropped as --crop causal says

echo "== 1/3 dependencies and build"
mpi_launch/build.sh edgeloop-search edgeloop-data edgeloop-edge edgeloop-model edgeloop-report
# shellcheck source=mpi_launch/environment.sh
. mpi_launch/environment.sh

echo "== 2/3 dataset (kept in $data)"
if [ ! -f "$data/shards/catalogue.json" ]; then
    rm -rf "$data"
    "$bin/edgeloop-data" synth --output "$data/raise" --objects 4 --layers 8 --lines 40 --part-size 3 --seed 1
    "$bin/edgeloop-data" shard --input "$data"/raise/*.hdf5 --output "$data/shards" --shards 4 --split layer --seed 1
fi

echo "== 3/3 search"
resume=()
if [ -e "$run/journal.jsonl" ]; then
    if grep -q '"phase": *"\(running\|stopped\)"' "$run/status.json" 2> /dev/null; then
        echo "an unfinished run is there: resuming it"
        resume=(--resume)
    else
        rm -rf "$run-previous"
        mv "$run" "$run-previous"
        echo "the finished run was moved to $run-previous"
    fi
fi
run_until_stopped mpirun "${mpirun_flags[@]}" -n 3 "$bin/edgeloop-search" --config mpi_launch/quickstart.ini \
    --data "$data/shards" --run-dir "$run" "${resume[@]}" "$@"
