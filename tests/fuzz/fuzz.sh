#!/usr/bin/env bash
# Fuzzes one decoder of the link from its corpus and packs the minimised corpus again.
# usage: tests/fuzz/fuzz.sh LINK_FUZZER DECODER RUNS [libFuzzer option...]
set -euo pipefail
fuzzer=$(realpath "${1:?usage: fuzz.sh LINK_FUZZER DECODER RUNS}")
export EDGELOOP_DECODER=$2
runs=$3
shift 3
packed=$(dirname "$0")/../data/fuzz/$EDGELOOP_DECODER.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus" "$work/small"
n=0
if [ -e "$packed" ]; then
  while read -r line; do
    n=$((n + 1))
    xxd -r -p <<<"$line" >"$work/corpus/$n"
  done <"$packed"
fi
"$fuzzer" "$work/corpus" -runs="$runs" -max_len=600 -malloc_limit_mb=4 -rss_limit_mb=1024 -close_fd_mask=2 \
  -artifact_prefix="found-$EDGELOOP_DECODER-" "$@"
"$fuzzer" "$work/small" "$work/corpus" -merge=1 -max_len=600 >/dev/null 2>&1
for input in "$work"/small/*; do xxd -p -c 0 "$input"; done | LC_ALL=C sort -u >"$packed"
