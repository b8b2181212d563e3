#!/usr/bin/env bash
# What edgeloop-search --plan predicts against what the same runs take, on this machine, which should
# have nothing else to do.
#   experiments/cluster/plan_check.sh [build folder] [configuration ...]
# Configurations: one (2 ranks, a device), two (3 ranks), pair (3 ranks as one group, rungs); all by default.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=mpi_launch/environment.sh
. "$root/mpi_launch/environment.sh"
bin=${1:-$root/build/release}/bin
shift || true
[ $# -gt 0 ] || set -- one two pair
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$bin/edgeloop-data" synth --output "$work/raise" --objects 4 --layers 8 --lines 24 --part-size 3 --seed 1 > /dev/null
"$bin/edgeloop-data" shard --input "$work"/raise/*.hdf5 --output "$work/shards" --shards 4 --split layer --seed 1 > /dev/null

# check NAME RANKS OPTIONS...
check() {
    local name=$1 ranks=$2 start end predicted measured
    shift 2
    local search=(mpirun "${mpirun_flags[@]}" -n "$ranks" "$bin/edgeloop-search" --data "$work/shards"
        --space quickstart --population 12 --seed 1 --log-level error --run-dir "$work/$name" "$@")
    predicted=$("${search[@]}" --plan --json | sed -n 's/^  "seconds": *\([0-9.e+]*\).*/\1/p')
    start=$(date +%s.%N)
    "${search[@]}" > "$work/$name.log"
    end=$(date +%s.%N)
    measured=$(awk "BEGIN {print $end - $start}")
    awk -v n="$name" -v r="$ranks" -v p="$predicted" -v m="$measured" -v o="$*" 'BEGIN {
        printf "%-5s %d ranks, %s: predicted %.1f s, measured %.1f s, off by %+.1f %%\n", n, r, o, p, m, 100 * (p / m - 1)}'
}

for configuration in "$@"; do
    case $configuration in
        one) check one 2 --evaluations 24 --epochs 5 --edge local --measure-seconds 0.5 ;;
        two) check two 3 --evaluations 48 --epochs 5 --edge model ;;
        pair) check pair 3 --evaluations 36 --rungs 2 6 --ranks-per-candidate 2 --edge model ;;
        *) echo "unknown configuration '$configuration'" >&2; exit 2 ;;
    esac
done
