#!/usr/bin/env bash
# Runs Python with these arguments in an environment that has ONNX Runtime. Of what it depends on, running a model needs
# NumPy alone.
exec "$(dirname "${BASH_SOURCE[0]}")/python_environment.sh" onnxruntime '--no-deps onnxruntime==1.23.2 numpy' "$@"
