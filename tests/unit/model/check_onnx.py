#!/usr/bin/env python3
"""Exports networks of every family and checks the files with Debian's onnx: the format, the
operators' signatures, the shapes they infer, and the number of parameters.

usage: check_onnx.py EDGELOOP_MODEL
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import onnx
    from onnx import checker, numpy_helper, shape_inference
except ImportError:
    print("skipped: this needs the package python3-onnx")
    sys.exit(77)

SPECS = {
    "cnn3d": {
        "stages": [{"channels": 8, "kernel": [3, 5, 3], "pool": [2, 2, 2]},
                   {"channels": 12, "kernel": [3, 3, 3], "pool": [2, 3, 3]}],
        "hidden": [16, 8], "reduce": "flatten"},
    "mbconv3d": {
        "stem": 6, "head": 20, "dropout": 0.2, "stages": [
            {"channels": 8, "expansion": 1.5, "kernel": [1, 3, 3], "stride": [1, 2, 2]},
            {"channels": 12, "expansion": 3, "kernel": [3, 5, 3], "stride": [2, 2, 2],
             "repeats": 2, "squeeze": 0.25}]},
    "swin3d": {
        "patch": [2, 2, 2], "embed_dim": 12, "depths": [2, 2], "heads": [3, 6],
        "window": [2, 4, 4], "mlp_ratio": 2, "head_hidden": [20, 10]},
}
BATCH, FRAMES, SIDE = 3, 6, 20


def shape_of(value):
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check(program, family, folder):
    spec = folder / f"{family}.json"
    spec.write_text(json.dumps({"family": family, "architecture": SPECS[family],
                                "clip": {"frames": FRAMES, "stride": 1, "side": SIDE}}))
    output = folder / f"{family}.onnx"
    run(program, "export", "--spec", spec, "--batch", str(BATCH), "--output", output)
    model = onnx.load(str(output))
    checker.check_model(model, full_check=True)

    assert shape_of(model.graph.input[0]) == [BATCH, 1, FRAMES, SIDE, SIDE], family
    assert shape_of(model.graph.output[0]) == [BATCH, 2], family
    # What another implementation infers from the operators, without what the file claims.
    model.graph.output[0].type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    assert shape_of(inferred.graph.output[0]) == [BATCH, 2], (family, inferred.graph.output[0])

    properties = {each.key: each.value for each in model.metadata_props}
    assert json.loads(properties["spec"])["family"] == family
    floats = sum(numpy_helper.to_array(each).size for each in model.graph.initializer
                 if each.data_type == onnx.TensorProto.FLOAT)
    counted = json.loads(run(program, "describe", "--spec", spec, "--json"))["parameters"]
    # Besides: scalars, group norms' ones and zeros; and for swin3d the tables of relative positions
    # unfolded to a bias for each pair of tokens, masks and padding. Equal constants, as the zeros of
    # untrained biases, are there once.
    assert 0.99 * counted <= floats, (family, floats, counted)
    assert floats <= (10 if family == "swin3d" else 1.1) * counted, (family, floats, counted)
    print(f"{family}: {len(model.graph.node)} operators, {floats} numbers, {counted} parameters")
    return output


def damaged_file_is_seen(file):
    model = onnx.load(str(file))
    model.graph.node[0].op_type = "Convolution"
    try:
        checker.check_model(model, full_check=True)
    except checker.ValidationError:
        return
    raise AssertionError("the checker accepts anything")


with tempfile.TemporaryDirectory() as name:
    for each in SPECS:
        file = check(sys.argv[1], each, pathlib.Path(name))
    damaged_file_is_seen(file)
