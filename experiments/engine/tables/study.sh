#!/usr/bin/env bash
# study.sh TABLES OUT [SEEDS]: edgeloop's engines and Optuna's samplers on all problems of a table, or of a folder of
# tables, and a comparison in Markdown: OUT/study.md. Goes on where it was stopped; takes hours with Optuna's Gaussian
# process, which runs on 8 problems only unless EDGELOOP_GP_PROBLEMS names others ("" for all).
set -euo pipefail
[ $# -ge 2 ] || { sed -n 2,4p "$0" >&2; exit 2; }
tables=$(realpath "$1") out=$(realpath -m "$2") seeds=${3:-15}
cd "$(dirname "$0")/../../.."
mkdir -p "$out"
cmake --preset benchmark > /dev/null
cmake --build --preset benchmark --target tables-study
study=build/benchmark/bin/tables-study

run() {  # run NAME ARGUMENT...: once
    local file=$out/$1.tsv
    shift
    [ -e "$file" ] && return
    "$study" "$tables" --seeds "$seeds" "$@" > "$file.part"
    mv "$file.part" "$file"
}
run plain --engines generational steady-state random
run model --engines model-based
run workers --engines model-based --workers 1 8 64 --until 0.99
run rungs --engines model-based --rungs 12 200 --until 0.99
run whole --engines generational --evaluations 1200 --until 0.99

gp_problems=${EDGELOOP_GP_PROBLEMS-cifar10/1080ti_1 cifar10/silver_4114 cifar10/titanxp_1 cifar100/2080ti_32 cifar100/titanx_1 imagenet16/1080ti_32 imagenet16/titan_rtx_1 imagenet16/titanxp_32}
for table in $([ -d "$tables" ] && echo "$tables"/*.tsv.gz || echo "$tables"); do
    experiments/engine/tables/peers.sh "$table" --output "$out/peers.tsv" --seeds "$seeds"
    # shellcheck disable=SC2086  # one word each
    experiments/engine/tables/peers.sh "$table" --output "$out/peers-gp.tsv" --samplers gp --evaluations 100 \
        --seeds "$seeds" ${gp_problems:+--problems $gp_problems}
done
{
    python3 experiments/engine/tables/compare.py "$out/plain.tsv" "$out/model.tsv" "$out/peers.tsv" "$out/peers-gp.tsv" \
        --pair model-based generational --pair model-based optuna-tpe --pair model-based optuna-nsga2 --pair model-based optuna-gp
    python3 experiments/engine/tables/compare.py "$out/workers.tsv" "$out/rungs.tsv" "$out/whole.tsv" \
        --pair model-based@8 model-based --pair model-based@64 model-based --pair model-based@12-200 generational
} | tee "$out/study.md"
