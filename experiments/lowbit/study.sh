#!/usr/bin/env bash
# What bits cost: the relative rise of test RMSE of W8A8, W4A4 and W2A2, VecQ beside LSQ, over the same network in
# float32; one recipe, the same seeds for all.
#   experiments/lowbit/study.sh OUT [SEEDS [FIRST]]        default: 5 seeds from 1 on
# A study that was stopped goes on when the same command is given again. OUT/study.md is the result. BIN names the
# folder of the programs, JOBS how many trainings run at once, EPOCHS the epochs of each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=${1:?usage: study.sh OUT [SEEDS [FIRST]]}
seeds=${2:-5}
first=${3:-1}
bin=${BIN:-build/release/bin}
jobs=${JOBS:-$(nproc)}
epochs=${EPOCHS:-40}
mkdir -p "$out/specs"
out=$(realpath "$out")

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
data=$out/data
if [ ! -f "$data/shards/catalogue.json" ]; then
    rm -rf "$data"
    "$bin/edgeloop-data" synth --output "$data/raise" --objects 4 --layers 8 --lines 20 --part-size 3 --seed 1
    "$bin/edgeloop-data" shard --input "$data"/raise/*.hdf5 --output "$data/shards" --shards 2 --split layer --seed 1
fi
python3 experiments/lowbit/study.py specs "$out/specs" --epochs "$epochs"

one() {
    local spec=$1 seed=$2 run
    run=$out/$(basename "$spec" .json)-$seed
    [ ! -f "$run.json" ] || return 0
    if ! "$bin/edgeloop-model" train --spec "$spec" --data "$data/shards" --out "$run" --seed "$seed" --overwrite \
        > "$run.log" 2>&1; then
        echo "study.sh: $run: see $run.log" >&2
        return 1
    fi
    # Named only when it is whole.
    "$bin/edgeloop-model" evaluate --model "$run" --data "$data/shards" --json > "$run.part" 2>> "$run.log"
    mv "$run.part" "$run.json"
    echo "$(basename "$run"): done" >&2
}
export -f one
export out bin data
# shellcheck disable=SC2016  # expanded by the inner shell
for spec in "$out"/specs/*.json; do
    for seed in $(seq "$first" $((first + seeds - 1))); do printf '%s %s\n' "$spec" "$seed"; done
done | xargs -P "$jobs" -L 1 bash -c 'one "$0" "$1"'
python3 experiments/lowbit/study.py table "$out" | tee "$out/study.md"
