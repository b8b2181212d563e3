#!/usr/bin/env python3
"""Runs the files that write_qonnx made with the package qonnx, and compares what they give with what the integer
networks gave.

usage: tests/qonnx.sh check_qonnx.py FOLDER
"""
import pathlib
import sys

import numpy
import qonnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

folder = pathlib.Path(sys.argv[1])
count, equal, clips_seen = 0, 0, 0
for path in sorted(folder.glob("*.onnx")):
    model = ModelWrapper(str(path)).transform(InferShapes()).transform(InferDataTypes())
    shape = model.get_tensor_shape("clips")
    clips = numpy.fromfile(path.with_suffix(".input"), dtype="float32").reshape(-1, *shape[1:])
    expected = numpy.fromfile(path.with_suffix(".expected"), dtype="float32").reshape(len(clips), -1)
    found = numpy.concatenate([execute_onnx(model, {"clips": clip[None]})["targets"] for clip in clips])
    assert found.shape == expected.shape, (path, found.shape)
    apart = abs(found - expected).max(axis=1) / abs(expected).max()
    # Sums of float32 may round to the neighbouring activation: rarely, but a step of few bits is large.
    same = apart < 1e-4
    equal += same.sum()
    clips_seen += len(clips)
    count += 1
    kinds = {node.op_type for node in model.graph.node}
    assert "Quant" in kinds, (path, kinds)
    weights = int(path.name[1])
    activations = int(path.name[3])
    bits = {int(model.get_initializer(node.input[3])) for node in model.graph.node if node.op_type == "Quant"}
    assert activations in bits, (path, bits)
    assert ("BipolarQuant" in kinds if weights == 1 else bits & {weights, weights + 1}), (path, bits, kinds)
    if not same.all():
        print(f"{path.name}: {apart.max():.4f} apart")
assert count > 0
print(f"{count} files with qonnx {getattr(qonnx, '__version__', '')}: {equal} of {clips_seen} clips give the same")
sys.exit(0 if equal >= 0.95 * clips_seen else 1)
