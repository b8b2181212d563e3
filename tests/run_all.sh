#!/usr/bin/env bash
# Builds everything and runs every test. Arguments go to ctest, e.g. tests/run_all.sh -L unit
set -euo pipefail
cd "$(dirname "$0")/.."
mpi_launch/build.sh
ctest --preset release --parallel "$(nproc)" "$@"
