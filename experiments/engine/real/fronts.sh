#!/usr/bin/env bash
# Are confirmed fronts what they say? The quickstart's search with several seeds, and each member of each front trained
# again with 10 seeds of which the run knew nothing.
#   experiments/engine/real/fronts.sh OUT [SEED...]     default: seeds 1 2 3
# A study that was stopped goes on when the same command is given again. OUT/fronts.md is the result. BIN names the
# folder of the programs, DATA the quickstart's shards.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
out=${1:?usage: fronts.sh OUT [SEED...]}
shift
seeds=("$@")
[ $# -gt 0 ] || seeds=(1 2 3)
bin=${BIN:-build/benchmark/bin}
data=${DATA:-runs/quickstart-data-3/shards}
mkdir -p "$out"
if [ ! -d "$bin" ]; then
    mpi_launch/install_dependencies.sh
    cmake --preset benchmark > "$out/configure.log"
    cmake --build --preset benchmark --target edgeloop-search edgeloop-edge front_truth > "$out/build.log"
fi
if [ ! -f "$data/catalogue.json" ]; then
    echo "fronts.sh: $data holds no shards: run mpi_launch/quickstart.sh, or set DATA" >&2
    exit 2
fi
# shellcheck source=mpi_launch/environment.sh
. mpi_launch/environment.sh

truth() {
    local run=$out/seed-$1
    [ ! -f "$run.json" ] || return 0
    "$bin/front_truth" --run-dir "$run" --data "$data" --seeds 10 > "$run.part" 2>> "$run.log"
    mv "$run.part" "$run.json"
}
for seed in "${seeds[@]}"; do
    run=$out/seed-$seed resume=()
    [ ! -f "$run.searched" ] || continue
    if [ -e "$run/journal.jsonl" ]; then resume=(--resume); fi
    start=$SECONDS
    mpirun "${mpirun_flags[@]}" -n 3 "$bin/edgeloop-search" --config mpi_launch/quickstart.ini --data "$data" \
        --run-dir "$run" --seed "$seed" "${resume[@]}" > "$run.log" 2>&1 < /dev/null
    echo "seed $seed: searched in $((SECONDS - start)) s" | tee "$run.searched" >&2
done
export -f truth
export out bin data
# shellcheck disable=SC2016  # expanded by the inner shell
printf '%s\n' "${seeds[@]}" | xargs -P "$(nproc)" -L 1 bash -c 'set -euo pipefail; truth "$0"'
python3 experiments/engine/real/fronts.py "$out" | tee "$out/fronts.md"
