#!/usr/bin/env python3
"""Exports a human baseline and members of a front in every form and times the forms beside each other.

usage: table.py --run RUN_DIR --shards SHARDS --out FOLDER [--build build/release] [--human DIR]

RUN_DIR is a search with --save-weights; five members of its front are taken, evenly by latency, both ends among them.
The baseline is the shipped design "human" with clips of 16x56x56: --human names its trained folder; without it,
edgeloop-model train makes FOLDER/human. Needs tests/onnxruntime.sh.

In each of ROUNDS rounds each form of each design runs once, in a process of its own, for one thread and for two. A number of the table is the
median over the rounds of a process's median. FOLDER/table.md is the table, FOLDER/rounds.csv every round. "eager, fused" are edgeloop's
own kernels, which an exported file cannot hold; "eager" are LibTorch's. edgeloop-model benchmark times these and the frozen graph that
a TorchScript file holds; ONNX files run in ONNX Runtime's Python package, whose threads spin as long as it lets them. Forms that FOLDER has
from an earlier call, of the same weights and by the same program, are not exported again.
"""
import argparse
import csv
import hashlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUNDS, SECONDS, MEMBERS = 3, 1.5, 5
BY_BENCHMARK = {"eager": ("library",), "eager, fused": ("fused",), "torchscript": ("exported", "--frozen")}
FORMS = (*BY_BENCHMARK, "onnx", "onnx int8")
COLUMNS = ("design", "threads", "form", "round", "median_ms")

# Times an ONNX file: warm-up for a third of the seconds, then the median.
TIMER = r"""
import sys, time, statistics
path, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
shape = [int(length) for length in sys.argv[4].split("x")]
import numpy, onnxruntime
clips = numpy.random.default_rng(1).standard_normal(shape).astype("float32")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
def run():
    session.run(None, {"clips": clips})
end = time.perf_counter() + seconds / 3
while True:
    run()
    if time.perf_counter() > end:
        break
times, end = [], time.perf_counter() + seconds
while time.perf_counter() < end or len(times) < 5:
    begin = time.perf_counter()
    run()
    times.append(time.perf_counter() - begin)
print(1000 * statistics.median(times))
"""


def run(*command, threads=1):
    print("+", *command, flush=True)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return done.stdout


def spread(rows, count):
    """So many rows, evenly by latency, both ends among them."""
    rows = sorted(rows, key=lambda row: float(row["latency_ms"]))
    if len(rows) <= count:
        return rows
    return [rows[round(i * (len(rows) - 1) / (count - 1))] for i in range(count)]


def rmse_change(text):
    """From what the export prints: percent, with its interval."""
    found = re.search(r": ([-+][\d.]+) % \(95 % interval ([-+][\d.]+) to ([-+][\d.]+) %\)", text)
    return "{} % ({} to {})".format(*found.groups()) if found else "not judged"


class Design:
    def __init__(self, name, folder, options):
        self.name, self.folder = name, pathlib.Path(folder)
        self.spec = self.folder / "spec.json"
        clip = json.loads(self.spec.read_text())["clip"]
        self.shape = f"1x1x{clip['frames']}x{clip['side']}x{clip['side']}"
        self.options, self.changes, self.files = options, {}, {}

    def export(self):
        program = pathlib.Path(self.options.build) / "bin/edgeloop-model"
        for form, file, words in (("torchscript", "model.pt", ["--format", "torchscript"]), ("onnx", "model.onnx", []),
                                  ("onnx int8", "int8.onnx", ["--precision", "int8"])):
            path = pathlib.Path(self.options.out) / self.name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            words_kept = path.with_suffix(path.suffix + f".{self.digest(program)}.txt")
            try:
                if not words_kept.exists():
                    for stale in path.parent.glob(f"{path.name}*"):
                        stale.unlink()
                    text = run(program, "export", "--model", self.folder, "--data", self.options.shards, "--output", path, *words)
                    words_kept.with_suffix(".part").write_text(text)
                    words_kept.with_suffix(".part").rename(words_kept)
            except subprocess.CalledProcessError:
                if form != "onnx int8":  # a design of one convolution has nothing for integers
                    raise
                self.changes[form] = "none"
                continue
            said = words_kept.read_text()
            print(said)
            self.files[form] = path
            if form == "onnx int8":
                self.changes[form] = rmse_change(said)

    def digest(self, program):
        """Of what an export is made from."""
        made_from = hashlib.sha256()
        for file in (self.spec, self.folder / "weights.safetensors", program):
            made_from.update(pathlib.Path(file).read_bytes())
        return made_from.hexdigest()[:16]

    def time(self, form, threads):
        if form in BY_BENCHMARK:
            program = pathlib.Path(self.options.build) / "bin/edgeloop-model"
            command = (program, "benchmark", "--spec", self.spec, "--threads", threads, "--kernels", *BY_BENCHMARK[form],
                       "--back-to-back", "--json")
            rough_ms = json.loads(run(*command, "--repetitions", 3, threads=threads))["median_ms"]
            runs = max(5, int(1000 * SECONDS / rough_ms))
            said = run(*command, "--warm-up", 1 + runs // 3, "--repetitions", runs, threads=threads)
            return float(json.loads(said)["median_ms"])
        return float(run(ROOT / "tests/onnxruntime.sh", "-c", TIMER, self.files[form], threads, SECONDS, self.shape, threads=threads))


def trained_human(options):
    if options.human:
        return options.human
    out = pathlib.Path(options.out)
    spec = json.loads((ROOT / "src/architecture/specs/human.json").read_text())
    spec["clip"]["side"] = 56
    (out / "human.json").write_text(json.dumps(spec))
    run(pathlib.Path(options.build) / "bin/edgeloop-model", "train", "--spec", out / "human.json", "--data", options.shards,
        "--out", out / "human")
    return out / "human"


def designs_of(options):
    with open(pathlib.Path(options.run) / "pareto.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["latency_ms"]]
    yield Design("human", trained_human(options), options)
    for row in spread(rows, MEMBERS):
        yield Design(row["id"], pathlib.Path(options.run) / "models" / row["id"], options)


def write_table(path, designs, rounds):
    lines = ["| design | threads | " + " | ".join(f"{form}, ms" for form in FORMS) + " | int8: change of RMSE |",
             "| --- | --- |" + " --- |" * (len(FORMS) + 1)]
    for design in designs:
        for threads in (1, 2):
            cells = []
            for form in FORMS:
                times = [row["median_ms"] for row in rounds
                         if (row["design"], row["threads"], row["form"]) == (design.name, threads, form)]
                cells.append(f"{statistics.median(times):.3f}" if times else "")
            lines.append(f"| {design.name} | {threads} | " + " | ".join(cells) + f" | {design.changes['onnx int8']} |")
    path.write_text("\n".join(lines) + "\n")


def self_check():
    rows = [{"id": str(i), "latency_ms": str(i * 0.1)} for i in range(9)]
    assert [row["id"] for row in spread(list(reversed(rows)), 5)] == ["0", "2", "4", "6", "8"]
    assert spread(rows[:2], 5) == rows[:2]
    text = "RMSE on 90 test clips: 0.1, the network's 0.1: +0.52 % (95 % interval -0.10 to +1.20 %), by ONNX Runtime"
    assert rmse_change(text) == "+0.52 % (-0.10 to +1.20)", rmse_change(text)
    assert rmse_change("") == "not judged"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True)
    parser.add_argument("--shards", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--build", default=str(ROOT / "build/release"))
    parser.add_argument("--human")
    options = parser.parse_args()
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    designs, rounds = list(designs_of(options)), []
    for design in designs:
        design.export()
    for number in range(ROUNDS):
        for design in designs:
            for threads in (1, 2):
                for form in FORMS:
                    if form in BY_BENCHMARK or form in design.files:
                        rounds.append(dict(zip(COLUMNS, (design.name, threads, form, number, design.time(form, threads)))))
    with open(out / "rounds.csv", "w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rounds)
    write_table(out / "table.md", designs, rounds)
    print((out / "table.md").read_text())


if __name__ == "__main__":
    if "--self-check" in sys.argv:
        self_check()
        sys.exit(0)
    main()
