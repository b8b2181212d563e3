#!/usr/bin/env bash
# Builds the unit tests of the modules without LibTorch with the address and undefined-behaviour sanitizers,
# and runs them. Arguments go to ctest.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset asan > /dev/null
cmake --build build/asan --parallel "$(nproc)" --target unit_tests_without_torch
ctest --preset asan -L without_torch --parallel "$(nproc)" "$@"
