#!/usr/bin/env bash
# The part of run.sh that runs in the root: installs, builds, tests. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
name=$(. /etc/os-release && echo "$PRETTY_NAME")
: "${started_at:?run.sh starts this script}"

say() { echo "== $name: $*"; }

# Runs a command for as long as there is time. Returns 124 when time ran out.
timed() {
    local code=0 left
    # A week without a limit.
    left=$((${EDGELOOP_PLATFORM_MINUTES:-10080} * 60 - (EPOCHSECONDS - started_at)))
    [ "$left" -gt 0 ] || return 124
    timeout --kill-after=20 "$left" "$@" || code=$?
    [ "$code" -ne 137 ] || code=124
    return "$code"
}

# Ends the run with the code of what was not done: time that ran out is no failure.
stop() {
    [ "$1" -eq 124 ] || exit "$1"
    say "SKIPPED $2: the $EDGELOOP_PLATFORM_MINUTES minutes are over"
    exit 0
}

say "packages"
timed mpi_launch/install_dependencies.sh || exit 77
for package in g++ cmake libtorch-dev libopenmpi-dev libhdf5-dev; do
    dpkg-query -W -f='   ${Package} ${Version}\n' "$package"
done
if [ "$#" -eq 0 ]; then
    say "mpi_launch/quickstart.sh"
    timed mpi_launch/quickstart.sh || stop $? "the quickstart and all tests"
    say "took $((EPOCHSECONDS - started_at)) s so far"
fi
say "build"
timed mpi_launch/build.sh || stop $? "the rest of the build and all tests"
say "tests (built after $((EPOCHSECONDS - started_at)) s)"
log=build/platform-tests.log
code=0
timed ctest --preset release --parallel "$(nproc)" "$@" 2>&1 | tee "$log" || code=$?
say "took $((EPOCHSECONDS - started_at)) s"
if [ "$code" -eq 124 ] && ! grep -qE '\*\*\*(Failed|Exception|Timeout|Not Run)' "$log"; then
    stop 124 "$(awk '/^ *[0-9]+\/[0-9]+ Test +#/ {split($1, at, "/"); all = at[2]; done++}
        END {printf "%d of %d tests", all - done, all}' "$log")"
fi
if [ "$code" -ne 0 ]; then
    # Two platforms share a small machine: what failed is run once more, alone, and both are shown.
    say "once more, alone, what failed"
    code=0
    timed ctest --preset release --rerun-failed 2>&1 | tee -a "$log" || code=$?
    [ "$code" -ne 124 ] || code=8  # not seen to pass
fi
exit "$code"
