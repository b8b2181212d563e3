#!/usr/bin/env bash
# clang-tidy (.clang-tidy) on the sources that changed within a day before the last commit, the latest first,
# for as long as there is time; says what it did not reach.
#   tests/tidy.sh [minutes]     default: 1000. Wants a configured build/release.
set -euo pipefail
cd "$(dirname "$0")/.."

# One file; 255 ends xargs at once and is not used: every file gets its turn.
if [ "${1:-}" = --file ]; then
    left=$(($2 - EPOCHSECONDS))
    [ "$left" -gt 0 ] || { echo "clang-tidy: not reached: $3"; exit 0; }
    code=0
    timeout "$left" clang-tidy -p build/release --quiet "$3" 2> /dev/null || code=$?
    [ "$code" -ne 124 ] || { echo "clang-tidy: cut off: $3"; exit 0; }
    [ "$code" -eq 0 ] || exit 1
    echo "clang-tidy: passed: $3"
    exit 0
fi

end=$((EPOCHSECONDS + ${1:-1000} * 60))
since=$(($(git log -1 --format=%ct) - 86400))
# What was removed since, or is not built here, is no concern.
git log --since="$since" --name-only --format= -- 'src/*.cpp' 'edge/*.cpp' | awk '!seen[$0]++' |
    { grep -Ff <(sed -n "s|.*\"file\": \"$PWD/\(.*\)\".*|\1|p" build/release/compile_commands.json) -x || true; } |
    xargs --no-run-if-empty --max-procs="$(nproc)" --max-args=1 "$0" --file "$end"
