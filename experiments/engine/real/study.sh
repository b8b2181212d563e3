#!/usr/bin/env bash
# The default engine against random sampling, with real trainings: searches of 60 designs each, the same seeds for
# both, and each member of each front judged by 5 fresh trainings.
#   experiments/engine/real/study.sh OUT [SEEDS]        default: 10 seeds
# A study that was stopped goes on when the same command is given again. OUT/study.md is the result. BIN names the
# folder of the programs, JOBS how many searches and judges run at once, EPOCHS the epochs of a training, CONFIRM what
# --confirm says: with 0 a search is 60 trainings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
out=${1:?usage: study.sh OUT [SEEDS]}
seeds=${2:-10}
bin=${BIN:-build/benchmark/bin}
jobs=${JOBS:-$(nproc)}
epochs=${EPOCHS:-12}
confirm=${CONFIRM:-0}
mkdir -p "$out"
if [ ! -d "$bin" ]; then
    mpi_launch/install_dependencies.sh
    cmake --preset benchmark > "$out/configure.log"
    cmake --build --preset benchmark --target edgeloop-search edgeloop-data front_truth > "$out/build.log"
fi

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
data=$out/data
if [ ! -f "$data/shards/catalogue.json" ]; then
    rm -rf "$data"
    "$bin/edgeloop-data" synth --output "$data/raise" --objects 4 --layers 8 --lines 20 --part-size 3 --seed 1
    "$bin/edgeloop-data" shard --input "$data"/raise/*.hdf5 --output "$data/shards" --shards 2 --split layer --seed 1
fi

one() {
    local engine=$1 seed=$2 run=$out/$1-$2 resume=()
    [ ! -f "$run.json" ] || return 0
    if [ -e "$run/journal.jsonl" ]; then resume=(--resume); fi
    # One process is one worker: nothing depends on the order in which trainings end. The latency is modelled, so
    # that it is the same whoever else uses the machine.
    if ! "$bin/edgeloop-search" --data "$data/shards" --space quickstart --epochs "$epochs" --run-dir "$run" \
        --edge model --engine "$engine" --evaluations 60 --population 12 --confirm "$confirm" --seed "$seed" \
        "${resume[@]}" >> "$run.log" 2>&1; then
        echo "study.sh: $engine, seed $seed: see $run.log" >&2
        return 1
    fi
    # Named only when it is whole.
    "$bin/front_truth" --run-dir "$run" --data "$data/shards" --seeds 5 > "$run.part" 2>> "$run.log"
    mv "$run.part" "$run.json"
    echo "$engine, seed $seed: done" >&2
}
export -f one
export out bin data epochs confirm
# shellcheck disable=SC2016  # expanded by the inner shell
for seed in $(seq "$seeds"); do
    printf '%s\n' "model-based $seed" "random $seed"
done | xargs -P "$jobs" -L 1 bash -c 'one "$0" "$1"'
python3 experiments/engine/real/judge.py "$out" | tee "$out/study.md"
