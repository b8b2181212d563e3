#!/usr/bin/env bash
# Makes echarts.js, the part of Apache ECharts that the pages of edgeloop-report draw with, from the
# packages that package-lock.json names. Only for who changes entry.js or the version: the result is
# checked in, and building edgeloop needs neither npm nor a network. Needs Node.js 18 and npm.
#   third_party/echarts/build.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
npm ci --ignore-scripts --no-audit --no-fund
version=$(node -p 'require("./node_modules/echarts/package.json").version')
node_modules/.bin/esbuild entry.js --bundle --minify --format=iife --global-name=echarts --target=es2020 \
    --legal-comments=none --define:process.env.NODE_ENV='"production"' --log-level=warning \
    --banner:js="/* Apache ECharts $version (Apache-2.0), with zrender (BSD-3-Clause) and tslib (0BSD): third_party/echarts */" \
    --outfile=echarts.js
cp node_modules/echarts/LICENSE LICENSE
cp node_modules/echarts/NOTICE NOTICE
cp node_modules/echarts/licenses/LICENSE-d3 LICENSE-d3
cp node_modules/zrender/LICENSE LICENSE-zrender
rm -rf node_modules
