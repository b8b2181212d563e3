#!/usr/bin/env bash
# clang-tidy (.clang-tidy) on the sources of src and edge that have changed since a commit, for as long as there is
# time; says what it did not reach. Exit code 77: clang-tidy is not there.
#   tests/tidy.sh [MINUTES [COMMIT]]     default: 1000 minutes, since HEAD~1
set -euo pipefail
cd "$(dirname "$0")/.."

# One file; 255 ends xargs at once and is not used: every file gets its turn.
if [ "${1:-}" = --file ]; then
    left=$(($2 - EPOCHSECONDS))
    [ "$left" -gt 0 ] || { echo "clang-tidy: not reached: $3"; exit 0; }
    code=0
    timeout "$left" clang-tidy -p build/tidy --quiet "$3" 2> /dev/null || code=$?
    [ "$code" -ne 124 ] || { echo "clang-tidy: cut off: $3"; exit 0; }
    [ "$code" -eq 0 ] || exit 1
    echo "clang-tidy: passed: $3"
    exit 0
fi

command -v clang-tidy > /dev/null || { echo "clang-tidy: SKIPPED, it is not installed"; exit 77; }
base=${2:-HEAD~1}
git rev-parse --quiet --verify "$base^{commit}" > /dev/null || { echo "clang-tidy: SKIPPED, there is no commit $base here"; exit 77; }
# Configured, not built: a source is a unit of its own there.
cmake --preset release -B build/tidy -DCMAKE_UNITY_BUILD=OFF > /dev/null
end=$((EPOCHSECONDS + ${1:-1000} * 60))
# What was removed since, or is not built here, is no concern.
git diff --name-only --diff-filter=d "$base" -- 'src/*.cpp' 'edge/*.cpp' |
    { grep -Ff <(sed -n "s|.*\"file\": \"$PWD/\(.*\)\".*|\1|p" build/tidy/compile_commands.json) -x || true; } |
    xargs --no-run-if-empty --max-procs="$(nproc)" --max-args=1 "$0" --file "$end"
