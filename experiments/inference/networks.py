#!/usr/bin/env python3
"""What whole networks take on each runtime of this machine, one thread, medians of edgeloop-edge measure.

usage: networks.py EDGELOOP_EDGE SPEC... [--runtimes eager,torchscript,onnx,native] [--repeat 3]
Runtimes take turns, so that a change of the machine meets all of them; the median of the repeats counts.
"""
import argparse
import json
import statistics
import subprocess
import sys


def measured(edge, spec, runtime):
    """Latency in ms, or what is wrong."""
    done = subprocess.run([edge, "measure", "--spec", spec, "--runtime", runtime, "--threads", "1", "--seconds", "2", "--json"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
    return json.loads(done.stdout)["metrics"]["latency_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("edge")
    parser.add_argument("specs", nargs="+")
    parser.add_argument("--runtimes", default="eager,torchscript,onnx,native")
    parser.add_argument("--repeat", type=int, default=3)
    wishes = parser.parse_args()
    runtimes = wishes.runtimes.split(",")
    print("| network | " + " | ".join(f"{runtime} ms" for runtime in runtimes) + " |")
    print("| --- |" + " --- |" * len(runtimes))
    for spec in wishes.specs:
        found = {runtime: [] for runtime in runtimes}
        for _ in range(wishes.repeat):
            for runtime in runtimes:
                found[runtime].append(measured(wishes.edge, spec, runtime))
        cells = []
        for values in found.values():
            numbers = [value for value in values if not isinstance(value, str)]
            cells.append(f"{statistics.median(numbers):.3f}" if len(numbers) == len(values) else str(values[0]))
        print(f"| {spec} | " + " | ".join(cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
