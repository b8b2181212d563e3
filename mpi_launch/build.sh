#!/usr/bin/env bash
# Installs what is missing and builds the release preset.
#   mpi_launch/build.sh [target...]     default: everything
# With CI=true, as CI services set it, a warning of the compiler is an error.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/mpi_launch/install_dependencies.sh"
cd "$root"
log=build/configure.log
mkdir -p build
# Headers are most of what there is to compile: several sources of a target are compiled as one, in half the time. Set
# EDGELOOP_UNITY=OFF if you edit and build again.
options=(-DCMAKE_UNITY_BUILD="${EDGELOOP_UNITY:-ON}")
[ "${CI:-false}" = false ] || options+=(-DEDGELOOP_WARNINGS_AS_ERRORS=ON)
if ! cmake --preset release "${options[@]}" > "$log" 2>&1; then
    cat "$log" >&2
    exit 3
fi
targets=()
[ "$#" -eq 0 ] || targets=(--target "$@")
# A LibTorch source takes up to 2 GiB to compile: no more jobs than cores or than memory allows.
jobs=$(nproc)
gib=$(awk '/MemAvailable/{print int($2 / 2097152)}' /proc/meminfo)
[ "$jobs" -le "$gib" ] || jobs=$((gib > 0 ? gib : 1))
cmake --build build/release --parallel "$jobs" "${targets[@]}"
