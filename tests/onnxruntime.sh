#!/usr/bin/env bash
# Makes the Python environment in which exported files are run by ONNX Runtime, in build/onnxruntime-venv of the
# source folder, when it is missing or the version changed. Exits with 77 where that cannot be had, e.g. without a
# network: the tests that need it are skipped then and say so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
wanted=onnxruntime==1.23.2
venv=$PWD/build/onnxruntime-venv

if [ "$(cat "$venv/installed.txt" 2> /dev/null)" != "$wanted" ]; then
    mkdir -p build
    if ! /usr/bin/python3 -m venv --clear "$venv" > "$venv.log" 2>&1 ||
        ! "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 --no-deps "$wanted" numpy >> "$venv.log" 2>&1; then
        echo "tests: no ONNX Runtime, so what needs it is skipped: $(grep -v '^ *$' "$venv.log" | tail -n 1)" >&2
        exit 77
    fi
    echo "$wanted" > "$venv/installed.txt"
fi
