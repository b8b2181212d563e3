#!/usr/bin/env bash
# Runs Python with these arguments in an environment that has the package qonnx: build/qonnx-venv of the source folder,
# made when it is missing or the version changed. Exits with 77, so that a test is skipped and says why, where that
# cannot be had, e.g. without a network.
set -euo pipefail
venv=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/build/qonnx-venv
wanted="qonnx==1.0.0 onnx==1.18.0 onnxruntime==1.23.2"

if [ "$(cat "$venv/installed.txt" 2> /dev/null)" != "$wanted" ]; then
    mkdir -p "$(dirname "$venv")"
    # shellcheck disable=SC2086  # several packages
    if ! /usr/bin/python3 -m venv --clear "$venv" > "$venv.log" 2>&1 ||
        ! "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 $wanted >> "$venv.log" 2>&1; then
        echo "skipped: no qonnx: $(grep -v '^ *$' "$venv.log" | tail -n 1)"
        exit 77
    fi
    echo "$wanted" > "$venv/installed.txt"
fi
exec "$venv/bin/python" "$@"
