#!/usr/bin/env bash
# Builds the unit tests of the modules without LibTorch, MPI and HDF5 with the address and
# undefined-behaviour sanitizers, and runs them. Arguments go to ctest.
# EDGELOOP_SANITIZED="core data" names other modules; "all" is every unit test without LibTorch.
set -euo pipefail
cd "$(dirname "$0")/.."
modules=${EDGELOOP_SANITIZED:-core architecture space evaluation evolution search link store cli planning}
read -ra names <<< "$modules"
targets=("${names[@]/#/unit_}")
which="^($(IFS='|' && echo "${names[*]}"))\\."
if [ "$modules" = all ]; then
    targets=(unit_tests_without_torch)
    which=.
fi
# As mpi_launch/build.sh builds.
cmake --preset asan -DCMAKE_UNITY_BUILD="${EDGELOOP_UNITY:-ON}" > /dev/null
cmake --build build/asan --parallel "$(nproc)" --target "${targets[@]}"
# What was not built has one test that says so, and fails.
ctest --preset asan -R "$which" -E _NOT_BUILT --parallel "$(nproc)" "$@"
