#!/usr/bin/env python3
"""Times two builds of edgeloop beside each other: dispatch, sorting, loading, bridge, training.

usage: two_builds.py OLD NEW [--rounds 5] [--out FOLDER] [--only NAME...]

OLD and NEW are build folders (build/benchmark), each made with the preset benchmark from a checkout of its own; README.md names the
targets. In each round each benchmark runs once with each build, the order changing from round to round. A cell of the table is the median
over the rounds; the ratio is the median of the rounds' ratios, new to old, turned so that above 1 is better. Nothing else may run on
the machine meanwhile. FOLDER/rounds.csv has every round, FOLDER/table.md the table.
"""
import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "EDGELOOP_OVERSUBSCRIBE": "allow"}
COLUMNS = ("benchmark", "figure", "round", "old", "new")
LESS, MORE = "less is better", "more is better"


def said(*words, folder=None):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
                          env={**os.environ, **ENVIRONMENT})
    if done.returncode != 0:
        sys.exit(f"two_builds.py: exit code {done.returncode}: {' '.join(map(str, words))}\n{done.stderr}")
    return done.stdout


def dispatch(build, _):
    result = json.loads(said(*MPIRUN, "-n", 3, build / "bin/dispatch_benchmark", 40000, 0, 2))
    return {("candidates a second", MORE): result["candidates_per_s"]}


def exchange(build, _):
    result = json.loads(said(*MPIRUN, "-n", 2, build / "bin/exchange_benchmark", 5, 4))
    return {("training step of two ranks, gradients averaged, s", LESS): result["step_s_overlapped"]}


def sorting(build, _):
    return {(f"{objectives} objectives, {points} points, ms", LESS): ours
            for objectives, points, ours in sorting_rows(said(build / "bin/sorting_versus_pagmo"))}


def sorting_rows(text):
    rows = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in text.splitlines()[2:]]
    return [(row[0], row[1], float(row[3])) for row in rows if row[1] in ("10000", "100000")]


def loading(build, folder):
    result = json.loads(said(build / "bin/data-benchmark", "--folder", folder, "--lines", 50, "--rounds", 3))
    plain = next(row for row in result["results"] if row["deflate"] == 0)
    return {("windows a second and thread", MORE): plain["windows_per_s_and_thread"],
            ("clips a second, side 64", MORE): plain["side_64"]["clips_per_s"],
            ("clips a second, side 224", MORE): plain["side_224"]["clips_per_s"]}


def bridge(build, folder):
    result = json.loads(said(build / "bin/edge_dispatch", folder=folder))
    return {("submit to start, median of an idle device, ms", LESS): result["idle_submit_to_start_median_ms"],
            ("share of the time a device with a queue is busy", MORE): result["queued_busy_fraction"]}


def training(build, _):
    figures = {}
    for clip, batch in (("1x16x56x56", 4), ("1x16x112x112", 1)):
        result = json.loads(said(build / "bin/edgeloop-model", "benchmark", "--spec", "human", "--input", f"{batch}x{clip}", "--train",
                                 "--repetitions", 5, "--json"))
        figures[f"training step of {batch}x{clip}, ms", LESS] = result["median_ms"]
    return figures


BENCHMARKS = {program.__name__: program for program in (dispatch, exchange, sorting, loading, bridge, training)}


def summary(rows):
    lines = ["| benchmark | figure | old | new | better | least to most |", "| --- | --- | --- | --- | --- | --- |"]
    for benchmark, figure, direction in dict.fromkeys((row["benchmark"], *row["figure"]) for row in rows):
        own = [row for row in rows if (row["benchmark"], *row["figure"]) == (benchmark, figure, direction)]
        ratios = [row["new"] / row["old"] if direction == MORE else row["old"] / row["new"] for row in own]
        old, new = (statistics.median(row[which] for row in own) for which in ("old", "new"))
        lines.append(f"| {benchmark} | {figure} | {old:.4g} | {new:.4g} | {statistics.median(ratios):.2f} | "
                     f"{min(ratios):.2f} to {max(ratios):.2f} |")
    return "\n".join(lines) + "\n"


def self_check():
    rows = [{"benchmark": "bridge", "figure": ("ms", LESS), "round": i, "old": 2.0, "new": new} for i, new in enumerate((1.0, 4.0, 2.0))]
    rows += [{"benchmark": "dispatch", "figure": ("a second", MORE), "round": 0, "old": 100.0, "new": 150.0}]
    text = summary(rows)
    assert "| bridge | ms | 2 | 2 | 1.00 | 0.50 to 2.00 |" in text, text
    assert "| dispatch | a second | 100 | 150 | 1.50 | 1.50 to 1.50 |" in text, text
    table = "| a |\n| --- |\n| 2 | 1000 | 3 | 0.1 | 1 | 2 x |\n| 3 | 10000 | 3 | 4.25 | 1 | 2 x |\n"
    assert sorting_rows(table) == [("3", "10000", 4.25)], sorting_rows(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=pathlib.Path)
    parser.add_argument("new", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/two-builds"))
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    options = parser.parse_args()
    builds = {"old": options.old.resolve(), "new": options.new.resolve()}
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(options.rounds):
        for name in options.only:
            figures = {}
            for which in ("old", "new") if number % 2 == 0 else ("new", "old"):
                with tempfile.TemporaryDirectory(dir=options.out) as folder:
                    figures[which] = BENCHMARKS[name](builds[which], pathlib.Path(folder).resolve())
                print(f"round {number + 1}, {name}, {which}", file=sys.stderr, flush=True)
            for figure in figures["old"]:
                rows.append({"benchmark": name, "figure": figure, "round": number, "old": figures["old"][figure],
                             "new": figures["new"][figure]})
    with open(options.out / "rounds.csv", "w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows({**row, "figure": row["figure"][0]} for row in rows)
    (options.out / "table.md").write_text(summary(rows))
    print(summary(rows))


if __name__ == "__main__":
    if "--self-check" in sys.argv:
        self_check()
        sys.exit(0)
    main()
