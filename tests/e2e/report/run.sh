#!/usr/bin/env bash
# Opens pages of edgeloop-report in a headless Chromium: page_test.mjs. Skipped (77), and says so, where
# Node.js 18, npm, Chromium or the two packages of package-lock.json cannot be had.
#   run.sh <folder of the programs> <folder to work in>
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$1 work=$2
skip() { echo "SKIPPED: $*"; exit 77; }
for tool in node npm; do command -v "$tool" > /dev/null || skip "$tool is not installed (apt-get install nodejs npm)"; done
[ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 18')" = true ] || skip "Node.js is older than 18"
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) \
    || skip "Chromium is not installed (apt-get install chromium)"
mkdir -p "$work/npm"
if ! cmp -s "$here/package-lock.json" "$work/npm/installed.json"; then
    cp "$here/package.json" "$here/package-lock.json" "$work/npm/"
    (cd "$work/npm" && npm ci --ignore-scripts --no-audit --no-fund > npm.log 2>&1) || skip "npm ci failed: $work/npm/npm.log"
    cp "$here/package-lock.json" "$work/npm/installed.json"
fi
rm -rf "$work/pages"
mkdir -p "$work/pages"
cp "$here/page_test.mjs" "$work/npm/"
exec node "$work/npm/page_test.mjs" "$bin" "$work/pages" "$browser" "$here/../../data/runs/v0.1"
