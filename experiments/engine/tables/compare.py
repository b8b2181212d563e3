#!/usr/bin/env python3
"""Markdown from tables of runs as peers.py writes them (any engine may have written such rows).

First each engine's median over problems of the medians over seeds. Then for each `--pair A B`, on the problems
that both have: where A's median is ahead (sign test over problems, two-sided, ties left out), and the ratio
of the median evaluations to 99 %. A run's budget is the largest N of its columns share_N that is filled.
"""
import argparse
import collections
import csv
import math
import pathlib
import statistics
import sys

SHARES = {"share_50": 50, "share_100": 100, "share_200": 200, "share_400": 400}
TARGETS = ("to_98", "to_99", "to_99_5")
COLUMNS = ("problem", "engine", "seed", *SHARES, *TARGETS)
NEVER = math.inf


def read(paths):
    """engine -> problem -> seed -> column -> number. Not reached is NEVER, a share beyond the budget is left out.
    Raises OSError, ValueError."""
    runs = collections.defaultdict(lambda: collections.defaultdict(dict))
    for path in paths:
        with open(path, newline="") as file:
            rows = csv.DictReader(file, delimiter="\t")
            if missing := [name for name in COLUMNS if name not in (rows.fieldnames or [])]:
                raise ValueError(f"{path} has no column {', '.join(missing)}: give files as peers.py writes them")
            for number, row in enumerate(rows, 2):
                seeds = runs[row["engine"]][row["problem"]]
                if row["seed"] in seeds:
                    raise ValueError(f"{path}, line {number}: a second run of {row['engine']} on {row['problem']} with "
                                     f"seed {row['seed']}: leave one out")
                try:
                    if None in row.values():  # the line ends early
                        raise ValueError
                    run = {name: float(row[name]) for name in SHARES if row[name]}
                    run.update({name: float(row[name] or NEVER) for name in TARGETS})
                    run["budget"] = max(SHARES[name] for name in run if name in SHARES)
                except ValueError:
                    raise ValueError(f"{path}, line {number} is not a whole run: write it again, or delete it") from None
                seeds[row["seed"]] = run
    return runs


def median(values):
    """None if there is none. Of an even number with one NEVER in the middle: NEVER."""
    return statistics.median(values) if values else None


def over_seeds(seeds, column):
    """The median of one problem; None where a run ended before."""
    return median([run[column] for run in seeds.values()]) if all(column in run for run in seeds.values()) else None


def show(value, digits):
    return "–" if value is None or value == NEVER else f"{value:.{digits}f}"


def span(numbers):
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def overview(runs):
    """One row for each engine, all over its own problems."""
    counts = " | ".join(map(str, SHARES.values()))
    print(f"| engine | problems | seeds | budget | {counts} | 98 % | 99 % | 99.5 % |")
    print("|" + " --- |" * (4 + len(SHARES) + len(TARGETS)))
    for engine, problems in runs.items():
        cells = [engine, len(problems), span([len(seeds) for seeds in problems.values()]),
                 span([run["budget"] for seeds in problems.values() for run in seeds.values()])]
        for column in (*SHARES, *TARGETS):
            medians = [value for seeds in problems.values() if (value := over_seeds(seeds, column)) is not None]
            whole = len(medians) == len(problems)  # else the column would be of fewer problems than the row says
            cells.append(show(median(medians) if whole else None, 0 if column in TARGETS else 4))
        print("| " + " | ".join(map(str, cells)) + " |")


def sign_test(ahead, behind):
    """p, two-sided: as uneven a split or more, were both sides equally likely."""
    count = ahead + behind
    tail = sum(math.comb(count, hits) for hits in range(max(ahead, behind), count + 1)) / 2**count
    return min(1.0, 2 * tail)


def within(seeds, budget):
    """Median evaluations to 99 % where not reached counts as the budget, and the number of runs that did not reach it."""
    found = [run["to_99"] for run in seeds.values()]
    return median([min(value, budget) for value in found]), sum(value > budget for value in found)


def pair(runs, one, other):
    problems = [name for name in runs[one] if name in runs[other]]
    seeds = [span([len(runs[engine][name]) for name in problems]) for engine in (one, other)]
    print(f"\n{one} against {other}, problems that both have: {len(problems)} (seeds: {seeds[0]} and {seeds[1]})\n")
    print(f"| evaluations | {one} ahead | {other} ahead | equal | p (sign test) |\n| --- | --- | --- | --- | --- |")
    for column in ("share_50", "share_100", "share_200"):
        medians = [(over_seeds(runs[one][name], column), over_seeds(runs[other][name], column)) for name in problems]
        medians = [both for both in medians if None not in both]
        ahead, behind = sum(a > b for a, b in medians), sum(a < b for a, b in medians)
        if medians:
            equal = len(medians) - ahead - behind
            print(f"| {SHARES[column]} | {ahead} | {behind} | {equal} | {sign_test(ahead, behind):.2g} |")
    ratios, budgets, missed = {}, {}, [0, 0]
    for name in problems:
        both = [runs[one][name], runs[other][name]]
        budgets[name] = min(run["budget"] for seeds in both for run in seeds.values())
        (a, missed_a), (b, missed_b) = (within(seeds, budgets[name]) for seeds in both)
        ratios[name] = a / b
        missed = [missed[0] + missed_a, missed[1] + missed_b]
    worst = max(ratios, key=ratios.get)
    totals = [sum(len(runs[engine][name]) for name in problems) for engine in (one, other)]
    print(f"\nMedian evaluations to 99 %, {one} / {other}: median over problems {median(list(ratios.values())):.2f}, "
          f"worst problem {ratios[worst]:.2f} ({worst}). Not reached counts as the budget of {span(budgets.values())} "
          f"evaluations: {missed[0]} of {totals[0]} runs of {one}, {missed[1]} of {totals[1]} of {other}.")


def common(runs):
    """Of the problems and seeds that every engine has; empty if there is none."""
    keys = set.intersection(*({(name, seed) for name, seeds in problems.items() for seed in seeds}
                              for problems in runs.values()))
    kept = {engine: collections.defaultdict(dict) for engine in runs} if keys else {}
    for engine, problems in kept.items():
        for name, seeds in runs[engine].items():
            for seed, run in seeds.items():
                if (name, seed) in keys:
                    problems[name][seed] = run
    return kept


def self_check():
    assert sign_test(8, 0) == 2 / 256 and sign_test(3, 3) == 1 and abs(sign_test(2, 8) - 2 * 56 / 1024) < 1e-12
    seeds = {"1": {"to_99": 100.0}, "2": {"to_99": 300.0}, "3": {"to_99": NEVER}}
    assert within(seeds, 200) == (200, 2) and within(seeds, 400) == (300, 1) and over_seeds(seeds, "to_99") == 300
    assert over_seeds({"1": {"share_50": 0.5}, "2": {}}, "share_50") is None
    assert show(median([1.0, NEVER]), 0) == "–"
    print("the sign test and the medians are right")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", type=pathlib.Path)
    parser.add_argument("--pair", nargs=2, action="append", default=[], metavar=("A", "B"),
                        help="may be given several times")
    parser.add_argument("--common", action="store_true", help="only problems and seeds that all engines have")
    parser.add_argument("--self-check", action="store_true", help="checks the sign test and the medians")
    arguments = parser.parse_args()
    if arguments.self_check:
        return self_check()
    if not arguments.tables:
        parser.error("no table: name at least one")
    try:
        runs = read(arguments.tables)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if arguments.common:
        runs = common(runs)
    if not runs:
        parser.error("no run is left: give tables with rows, for --common rows of the same problems and seeds")
    for one, other in arguments.pair:
        if not (one in runs and other in runs and set(runs[one]) & set(runs[other])):
            parser.error(f"{one} and {other} have no problem in common: the engines are {', '.join(runs)}")
    overview(runs)
    for one, other in arguments.pair:
        pair(runs, one, other)


if __name__ == "__main__":
    main()
