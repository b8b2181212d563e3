#!/usr/bin/env bash
# Runs Python with these arguments in an environment that has the package qonnx.
exec "$(dirname "${BASH_SOURCE[0]}")/python_environment.sh" qonnx 'qonnx==1.0.0 onnx==1.18.0 onnxruntime==1.23.2' "$@"
