#!/usr/bin/env bash
# What edgeloop finds beside the human design and beside the published method, with as many trainings, on one device.
#   experiments/headline/headline.sh OUT [--scale smoke|small|full] [--seeds N] [--shards FOLDER]
# The same command goes on where it was stopped. OUT/headline.md is the result. BIN names the folder of the programs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bin=${BIN:-build/release/bin}
[ -d "$bin" ] || mpi_launch/build.sh edgeloop-search edgeloop-data edgeloop-model edgeloop-edge edgeloop-bridge
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1} HDF5_USE_FILE_LOCKING=FALSE
exec python3 experiments/headline/headline.py --bin "$bin" "$@"
