#!/usr/bin/env bash
# TensorBoard and Optuna read what edgeloop wrote: tools_test.py. Skipped (77), and says so, where they cannot be installed.
#   run.sh <folder of the programs> <folder to work in> <shards> <space>
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$2
rm -rf "$work"
mkdir -p "$work"
exec "$here/../../python_environment.sh" tools 'optuna==4.9.0 tensorboard==2.20.0 setuptools<81' "$here/tools_test.py" "$@"
