#!/usr/bin/env bash
# How much of what a drifted camera costs a device wins back by learning from labelled lines.
#   experiments/adapt/study.sh OUT [SEEDS]        default: 3 seeds
# A study that was stopped goes on when the same command is given again. OUT/study.md is the result. BIN names the
# folder of the programs, EDGE that of an agent without LibTorch (cmake --preset edge -DEDGELOOP_TORCH=OFF), whose memory is
# measured; EPOCHS the epochs of the trainings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=${1:?usage: study.sh OUT [SEEDS]}
seeds=${2:-3}
bin=${BIN:-build/release/bin}
edge=${EDGE:-build/edge/bin}
epochs=${EPOCHS:-40}
mkdir -p "$out"
out=$(realpath "$out")

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
data=$out/data
if [ ! -f "$data/shards/catalogue.json" ]; then
    rm -rf "$data"
    "$bin/edgeloop-data" synth --output "$data/raise" --objects 6 --layers 8 --lines 40 --part-size 3 --seed 1
    "$bin/edgeloop-data" shard --input "$data"/raise/*.hdf5 --output "$data/shards" --shards 2 --split layer --seed 1 \
        --validation 0.2 --test 0.2
fi
python3 experiments/adapt/study.py specs "$out" --epochs "$epochs"
for spec in "$out"/specs/*.json; do
    name=$(basename "$spec" .json)
    [ ! -f "$out/$name.elm" ] || continue
    "$bin/edgeloop-model" train --spec "$spec" --data "$data/shards" --out "$out/$name" --seed 1 --overwrite > "$out/$name.log" 2>&1
    "$bin/edgeloop-model" export --model "$out/$name" --format native --output "$out/$name.elm" >> "$out/$name.log" 2>&1
done
python3 experiments/adapt/study.py run "$out" --bin "$bin" --edge "$edge" --seeds "$seeds" | tee "$out/study.md"
