#!/usr/bin/env python3
"""What whole networks take on each runtime of this machine, one thread, medians: a table.

usage: networks.py EDGELOOP_MODEL EDGELOOP_EDGE NETWORK_BENCHMARK OUT SPEC... [--instructions NAME] [--repeat 3]

LibTorch eager and TorchScript are measured by edgeloop-edge, the native runtime by network_benchmark, and ONNX Runtime
by its Python package, on the files that edgeloop-model exports; integers of 8 bits are calibrated on black clips, which
does not change what they take. OUT keeps the files and every figure (networks.json). Runtimes take turns.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

FORMS = ("W8A8", "W4A4", "W2A2", "W1A1")


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


def on_edge(edge, spec, runtime):
    """Latency in ms; nothing where the runtime cannot."""
    try:
        out = run([edge, "measure", "--spec", spec, "--runtime", runtime, "--threads", "1", "--seconds", "2", "--json"])
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return None
    return json.loads(out)["metrics"]["latency_ms"]


class Black(CalibrationDataReader):
    def __init__(self, shape):
        self.clips = iter([{"clips": numpy.full(shape, value, dtype="float32")} for value in (-1, 0, 1)])

    def get_next(self):
        return next(self.clips, None)


def onnx_file(model, spec, out, integers):
    path = out / f"{pathlib.Path(spec).stem}.onnx"
    if not path.exists():
        run([model, "export", "--spec", spec, "--output", str(path)])
    if not integers:
        return path
    whole = path.with_suffix(".int8.onnx")
    if not whole.exists():
        shape = onnxruntime.InferenceSession(str(path)).get_inputs()[0].shape
        quantize_static(str(path), str(whole), Black(shape), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return whole


def on_onnx(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    clip = {"clips": numpy.zeros(session.get_inputs()[0].shape, dtype="float32")}
    times = []
    begin = time.perf_counter()
    while len(times) < 7 or time.perf_counter() - begin < 1.5:
        start = time.perf_counter()
        session.run(None, clip)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def measure(wishes, spec, out, figures):
    """Adds one round of figures of a network: {runtime: [ms, ...]}."""
    def note(runtime, value):
        if value is not None:
            figures.setdefault(runtime, []).append(value)
    for runtime in ("eager", "torchscript"):
        note(runtime, on_edge(wishes.edge, spec, runtime))
    note("onnx float", on_onnx(onnx_file(wishes.model, spec, out, False)))
    note("onnx int8", on_onnx(onnx_file(wishes.model, spec, out, True)))
    command = [wishes.benchmark, spec]
    if wishes.instructions:
        command += ["--instructions", wishes.instructions]
    for line in run(command).splitlines():
        native = json.loads(line)
        note(native["form"], native["ms"])
        note(native["form"] + " ceiling", native["ceiling_ms"])
        figures["mmac"] = native["mmac"]
        figures["instructions"] = native["instructions"]


def cell(figures, key):
    return f"{statistics.median(figures[key]):.3f}" if key in figures else "-"


def print_table(networks):
    print("| network | MFLOP | eager | TorchScript | ONNX Runtime float | int8 | native float | "
          + " | ".join(FORMS) + " |")
    print("| --- |" + " --- |" * (6 + len(FORMS)))
    for name, figures in networks.items():
        native = [f"{cell(figures, form)} ({cell(figures, form + ' ceiling')})" for form in ("float",) + FORMS]
        others = [cell(figures, key) for key in ("eager", "torchscript", "onnx float", "onnx int8")]
        print(f"| {name} | {2 * figures['mmac']:.1f} | " + " | ".join(others + native) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "edge", "benchmark"):
        parser.add_argument(name)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("specs", nargs="+")
    parser.add_argument("--instructions")
    parser.add_argument("--repeat", type=int, default=3)
    wishes = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    wishes.out.mkdir(parents=True, exist_ok=True)
    networks = {pathlib.Path(spec).stem: {} for spec in wishes.specs}
    for _ in range(wishes.repeat):
        for spec in wishes.specs:
            measure(wishes, spec, wishes.out, networks[pathlib.Path(spec).stem])
    (wishes.out / "networks.json").write_text(json.dumps(networks, indent=1))
    print_table(networks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
