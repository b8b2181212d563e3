#!/usr/bin/env python3
"""Hypervolumes of fronts by fresh trainings: of each run OUT/ENGINE-SEED of study.sh, paired by seed.

A front is the run's confirmed one; a member counts with the mean of fresh trainings (front_truth) and its latency. The
reference point is the runs' own, which is the same for all. p is of the exact one-sided sign-flip test of the mean
difference.
"""
import csv
import itertools
import json
import pathlib
import statistics
import sys


def hypervolume(points, reference):
    area, ceiling = 0.0, reference[1]
    for x, y in sorted(points):
        if x < reference[0] and y < ceiling:
            area += (reference[0] - x) * (ceiling - y)
            ceiling = y
    return area


def of_run(run):
    """(hypervolume by fresh means, by what the run says; trainings; members, those better than the baseline)"""
    status = json.loads((run / "status.json").read_text())
    truth = {member["id"]: member for member in json.loads(run.with_name(run.name + ".json").read_text())["judged"]}
    with open(run / "pareto.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    reference = status["reference"]
    said = [(float(row["val_rmse"]), float(row["latency_ms"])) for row in rows]
    fresh = [(truth[row["id"]]["mean"], float(row["latency_ms"])) for row in rows]
    trainings = status["done"] + status.get("confirming_trainings", 0)
    better = sum(truth[row["id"]]["mean"] < truth[row["id"]].get("baseline_rmse", float("inf")) for row in rows)
    return {"reference": reference, "fresh": hypervolume(fresh, reference), "said": hypervolume(said, reference),
            "trainings": trainings, "members": len(rows), "better": better}


def p_of(differences):
    """That the mean of the differences is as large when each sign is a toss of a coin."""
    total = sum(differences)
    signs = itertools.product((1, -1), repeat=len(differences))
    sums = [sum(sign * value for sign, value in zip(flips, differences)) for flips in signs]
    return sum(value >= total - 1e-12 for value in sums) / len(sums)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: judge.py OUT    (the folder of study.sh)")
    out = pathlib.Path(sys.argv[1])
    runs = {}
    for path in sorted(out.glob("*-*.json")):
        engine, seed = path.stem.rsplit("-", 1)
        runs.setdefault(int(seed), {})[engine] = of_run(path.with_suffix(""))
    pairs = [pair for _, pair in sorted(runs.items()) if {"model-based", "random"} <= set(pair)]
    if not pairs:
        sys.exit(f"{out} holds no pair of runs with the same seed: run study.sh")
    references = {tuple(run["reference"]) for pair in pairs for run in pair.values()}
    if len(references) != 1:
        sys.exit(f"the runs have different reference points: {sorted(references)}")
    print(f"{len(pairs)} seeds, reference point {', '.join(f'{value:g}' for value in references.pop())}\n")
    print("| engine | hypervolume by fresh means (sd) | by what the run says | trainings | members | better than without "
          "a network |\n| --- | --- | --- | --- | --- | --- |")
    for engine in ("model-based", "random"):
        of = [pair[engine] for pair in pairs]
        mean = {name: statistics.mean(run[name] for run in of) for name in ("fresh", "said", "trainings", "members")}
        deviation = statistics.stdev(run["fresh"] for run in of) if len(of) > 1 else float("nan")
        print(f"| {engine} | {mean['fresh']:.4f} ({deviation:.4f}) | {mean['said']:.4f} | {mean['trainings']:.1f} | "
              f"{mean['members']:.1f} | {sum(run['better'] for run in of)} of {sum(run['members'] for run in of)} |")
    differences = [pair["model-based"]["fresh"] - pair["random"]["fresh"] for pair in pairs]
    print(f"\nmodel-based is ahead in {sum(value > 0 for value in differences)} of {len(pairs)} seeds, by "
          f"{statistics.mean(differences):.4f} on average; p = {p_of(differences):.2g}")


if __name__ == "__main__":
    main()
