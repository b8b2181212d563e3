#!/usr/bin/env bash
# Runs peers.py with these arguments in a Python environment of its own, build/peers-venv, made when it is missing or
# requirements.txt has changed. It sees the system's packages, for torch: pip's brings gigabytes of CUDA.
#   experiments/engine/tables/peers.sh TABLE --output FILE [options]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$here/../../../build/peers-venv
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    # Debian's Python, not the first in PATH: python3-torch is for that one.
    /usr/bin/python3 -m venv --clear --system-site-packages "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
# Several threads do not help with matrices as small as these.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1}
exec "$venv/bin/python" "$here/peers.py" "$@"
