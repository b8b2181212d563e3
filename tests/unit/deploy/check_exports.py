#!/usr/bin/env python3
"""Runs the files that write_exports made and compares what they give with what the networks gave.

usage: check_exports.py FOLDER torch        with the Python that has torch, e.g. Debian's
       tests/onnxruntime.sh check_exports.py FOLDER onnxruntime
"""
import json
import pathlib
import sys

RUNTIME = sys.argv[2]
try:
    import numpy
    if RUNTIME == "torch":
        import torch
    else:
        import onnxruntime
except ImportError as error:
    print(f"skipped: {error}: this needs the package python3-torch, or tests/onnxruntime.sh")
    sys.exit(77)


def run_torch(path, clips):
    extra = {"key": ""}
    module = torch.jit.load(str(path), _extra_files=extra)
    assert extra["key"] == b"value" or path.name.startswith("swin3d_"), (path, extra)
    with torch.no_grad():
        return module(torch.from_numpy(clips)).numpy()


def run_onnxruntime(path, clips):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    if "free" in path.name:  # any batch: the first clip alone gives what it gives among others
        assert session.get_inputs()[0].shape[0] == "batch", path
        alone = session.run(None, {"clips": clips[:1]})[0]
        together = session.run(None, {"clips": clips})[0]
        assert numpy.allclose(alone, together[:1], rtol=1e-4, atol=1e-5 * abs(together).max()), path
        return together
    return session.run(None, {"clips": clips})[0]


def check_float(entry, found, expected, clips):
    allowed = entry["absolute"] + entry["relative"] * abs(expected)
    # Norms divide what differs within a clip by its deviation. In an even clip that is rounding alone, which
    # another order of sums makes anew.
    even = clips.reshape(len(clips), -1).std(axis=1) < 1e-6 * abs(clips).reshape(len(clips), -1).max(axis=1)
    allowed[even] *= 4
    worst = (abs(found - expected) / allowed).max()
    assert worst <= 1, f"{entry['file']}: {worst:.2f} times what is allowed: {found} {expected}"
    return worst


def check_rounded(entry, found, expected):
    """The runtime rounds where the simulation does, so it is much nearer to it than the rounding changes the
    result; a runtime that keeps more digits between float16 operators is nearer to the float32 network."""
    exact = numpy.array(entry["float32"], dtype="float32").reshape(expected.shape)
    assert not numpy.array_equal(expected, exact), f"{entry['file']}: nothing was rounded"
    scale = exact.std()
    change = numpy.sqrt(((found - exact) ** 2).mean()) / scale
    apart = numpy.sqrt(((found - expected) ** 2).mean()) / scale
    simulated = numpy.sqrt(((expected - exact) ** 2).mean()) / scale
    print(f"{entry['file']}: changes by {change:.5f} of the outputs' spread, simulated {simulated:.5f}, apart {apart:.5f}")
    if entry["precision"] == "int8":
        assert change < 0.2 and apart < 0.05, entry["file"]
    else:
        assert change < 0.01 and apart < 0.01, entry["file"]


folder = pathlib.Path(sys.argv[1])
entries = json.loads((folder / "files.json").read_text())
suffix = ".pt" if RUNTIME == "torch" else ".onnx"
worst, count = 0.0, 0
for each in entries:
    path = folder / each["file"]
    if path.suffix != suffix:
        continue
    clips = numpy.fromfile(str(path) + ".input", dtype=each["input_type"]).reshape(each["input_shape"])
    expected = numpy.fromfile(str(path) + ".expected", dtype="float32").reshape(each["expected_shape"])
    found = run_torch(path, clips) if RUNTIME == "torch" else run_onnxruntime(path, clips)
    assert found.shape == expected.shape, (path, found.shape)
    count += 1
    if each["precision"] == "float32":
        worst = max(worst, check_float(each, found, expected, clips))
    else:
        check_rounded(each, found, expected)
assert count > 0
version = torch.__version__ if RUNTIME == "torch" else onnxruntime.__version__
print(f"{count} files on {RUNTIME} {version}; the largest difference is {100 * worst:.1f} % of what is allowed")
