#!/usr/bin/env python3
"""Runs the models of this folder on their test vectors and compares the answers.

    python3 check.py [MODEL...]      default: every model file here that an installed runtime loads

Needs numpy; onnxruntime for .onnx files, torch for .pt files. Exits with 0 when all answers are as
expected, with 1 when one differs, with 2 when nothing could be run.
"""
import json
import pathlib
import struct
import sys

import numpy

HERE = pathlib.Path(__file__).resolve().parent
TYPES = {"F32": numpy.float32, "U8": numpy.uint8}


def read_vectors(path):
    """Tensors and metadata of a safetensors file."""
    data = path.read_bytes()
    start = 8 + struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        flat = numpy.frombuffer(data[begin:end], dtype=TYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).copy()
    return tensors, metadata


def load_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda clips: session.run(None, {name: clips})[0]


def load_torchscript(path):
    import torch

    model = torch.jit.load(str(path)).eval()

    def run(clips):
        with torch.no_grad():
            return model(torch.from_numpy(clips)).numpy()

    return run


def check(path):
    """Prints one line for the file and one for each vector that differs; whether none does."""
    run = load_onnx(path) if path.suffix == ".onnx" else load_torchscript(path)
    tensors, metadata = read_vectors(path.with_name(path.name + ".vectors.safetensors"))
    clips, expected = tensors["input"], tensors["expected"]
    batch = 16 if metadata["batch"] == "any" else int(metadata["batch"])
    answers = numpy.concatenate([run(clips[i:i + batch]) for i in range(0, len(clips), batch)])
    allowed = (float(metadata["absolute_tolerance"])
               + float(metadata["relative_tolerance"]) * numpy.abs(expected))
    differs = ~(numpy.abs(answers - expected) <= allowed).all(axis=1)  # also what is no number
    names = json.loads(metadata["names"])
    for i in numpy.flatnonzero(differs):
        print(f"  vector {i} ({names[i]}) differs: {answers[i].tolist()}, expected {expected[i].tolist()}")
    result = f"{differs.sum()} of {len(clips)} vectors differ" if differs.any() else f"ok, {len(clips)} vectors"
    print(f"{path.name}: {result}")
    return not differs.any()


def main():
    paths = [pathlib.Path(name) for name in sys.argv[1:]]
    wanted = paths or sorted(path for path in HERE.iterdir() if path.suffix in (".onnx", ".pt"))
    results = []
    for path in wanted:
        try:
            results.append(check(path))
        except ModuleNotFoundError as missing:
            print(f"{path.name}: not run, there is no Python module {missing.name}")
            if paths:
                results.append(False)
    if not results:
        print("nothing was run")
        sys.exit(2)
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
