#!/usr/bin/env bash
# The smallest form of experiments/headline goes through all its arms, and a second time takes what is there.
#   headline.sh <folder of the programs> <folder to work in>
set -euo pipefail
bin=$1 work=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rm -rf "$work"
mkdir -p "$work"
export BIN=$bin EDGELOOP_OVERSUBSCRIBE=allow
"$root/experiments/headline/headline.sh" "$work" --scale smoke > "$work/first.log" 2>&1 || { cat "$work/first.log"; exit 1; }
for arm in "human design" "published method" "edgeloop, published space" "edgeloop, mixed" "edgeloop, mixed-lowbit"; do
    grep -q "^| $arm |" "$work/headline.md" || { echo "no row for $arm"; cat "$work/headline.md"; exit 1; }
done
python3 - "$work" << 'END'
import json, sys
results = json.load(open(f"{sys.argv[1]}/headline.json"))["results"]
assert {arm: by_seed["1"]["trainings"] for arm, by_seed in results.items()} == {
    "human design": 0, **{arm: 3 for arm in results if arm != "human design"}}, results
for arm, by_seed in results.items():
    assert 0 < by_seed["1"]["latency_ms"] < 1e5 and 0 < by_seed["1"]["test_loss"] < 1e3, (arm, by_seed)
END
"$root/experiments/headline/headline.sh" "$work" --scale smoke > "$work/second.log" 2>&1 || { cat "$work/second.log"; exit 1; }
[ "$(grep -c '^headline:' "$work/second.log")" -eq 0 ] || { cat "$work/second.log"; exit 1; }
echo "all arms ran; a second start repeated nothing"
