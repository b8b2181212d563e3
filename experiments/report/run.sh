#!/usr/bin/env bash
# How the page of edgeloop-report fares with 5 000 and 50 000 designs of 30 columns: size, first drawing, brush.
#   experiments/report/run.sh [folder of the programs]
# Needs Chromium, Node.js and npm, as the test e2e.report_page does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bin=${1:-build/release/bin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tests/e2e/report/package.json tests/e2e/report/package-lock.json experiments/report/benchmark.mjs "$work"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund > /dev/null)
for designs in 5000 50000; do
    python3 experiments/report/make_run.py "$work/$designs" "$designs"
    begin=$(date +%s.%N)
    "$bin/edgeloop-report" "$work/$designs" -o "$work/$designs.html" > /dev/null
    printf '%s designs: made in %.1f s; ' "$designs" "$(echo "$(date +%s.%N) - $begin" | bc)"
    node "$work/benchmark.mjs" "$work/$designs.html" "$(command -v chromium)"
done
