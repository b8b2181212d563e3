#!/usr/bin/env python3
"""Markdown from tables of runs as peers.py and tables-study write them.

First each engine's median over problems of the medians over seeds. Then for each `--pair A B`, on the problems
that both have: where A's median is ahead (sign test over problems, two-sided, ties left out), and the ratio
of the median evaluations to 99 %, and of the median time where both tell it. A run ended where its column
`evaluations` says, or else at the largest N of its columns share_N that is filled.

The problem TABLE:X_error:Y_ms of tables-study is peers.py's X/Y. An engine with several workers is ENGINE@WORKERS,
with rungs ENGINE@RUNGS, such as model-based@8 or model-based@12-200; its evaluations are full trainings' worth of epochs.
"""
import argparse
import collections
import csv
import io
import math
import pathlib
import statistics
import sys

SHARES = {"share_50": 50, "share_100": 100, "share_200": 200, "share_400": 400}
TARGETS = ("to_98", "to_99", "to_99_5")
COLUMNS = ("problem", "engine", "seed", *SHARES, *TARGETS)
NEVER = math.inf
TIME = "time_to_99"


def problem_of(name):
    """As peers.py calls it."""
    parts = name.split(":")
    return f"{parts[1].removesuffix('_error')}/{parts[2].removesuffix('_ms')}" if len(parts) == 3 else name


def engine_of(row):
    settings = [row.get("workers") if row.get("workers") != "1" else "", row.get("rungs")]
    return "@".join([row["engine"], *filter(None, settings)])


def run_of(row):
    """Raises ValueError."""
    if None in row.values():  # the line ends early
        raise ValueError
    run = {name: float(row[name]) for name in SHARES if row[name]}
    run.update({name: float(row[name] or NEVER) for name in TARGETS})
    run["end"] = float(row.get("evaluations") or max(SHARES[name] for name in run if name in SHARES))
    # A run that may have stopped because it was near enough says nothing about how far others may count.
    stopped = "evaluations" in row and run["to_99"] < NEVER
    run["budget"] = NEVER if stopped else run["end"]
    if row.get("time"):
        run[TIME] = float(row[TIME] or NEVER)
        run["time_budget"] = NEVER if stopped else float(row["time"])
    if row.get("held_68"):
        run["held"] = float(row["held_68"])
    return run


def read(paths):
    """engine -> problem -> seed -> column -> number. Not reached is NEVER, a share beyond the end is left out.
    Raises OSError, ValueError."""
    runs = collections.defaultdict(lambda: collections.defaultdict(dict))
    for path in paths:
        with open(path, newline="") as file:
            read_rows(path, file, runs)
    return runs


def read_rows(path, file, runs):
    rows = csv.DictReader(file, delimiter="\t")
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or [])]:
        raise ValueError(f"{path} has no column {', '.join(missing)}: give files as peers.py writes them")
    for number, row in enumerate(rows, 2):
        try:
            run = run_of(row)
        except ValueError:
            raise ValueError(f"{path}, line {number} is not a whole run: write it again, or delete it") from None
        engine, problem, seed = engine_of(row), problem_of(row["problem"]), row["seed"]
        seeds = runs[engine][problem]
        if seed in seeds:
            raise ValueError(f"{path}, line {number}: a second run of {engine} on {problem} with seed {seed}: "
                             "leave one out")
        seeds[seed] = run


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
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def overview(runs):
    """One row for each engine, all over its own problems."""
    counts = " | ".join(map(str, SHARES.values()))
    print(f"| engine | problems | seeds | ended after | {counts} | 98 % | 99 % | 99.5 % | held |")
    print("|" + " --- |" * (5 + len(SHARES) + len(TARGETS)))
    for engine, problems in runs.items():
        cells = [engine, len(problems), span([len(seeds) for seeds in problems.values()]),
                 span([run["end"] for seeds in problems.values() for run in seeds.values()])]
        for column in (*SHARES, *TARGETS):
            medians = [value for seeds in problems.values() if (value := over_seeds(seeds, column)) is not None]
            whole = len(medians) == len(problems)  # else the column would be of fewer problems than the row says
            cells.append(show(median(medians) if whole else None, 0 if column in TARGETS else 4))
        held = [run["held"] for seeds in problems.values() for run in seeds.values() if "held" in run]
        cells.append(show(statistics.mean(held) if held else None, 2))
        print("| " + " | ".join(map(str, cells)) + " |")


def sign_test(ahead, behind):
    """p, two-sided: as uneven a split or more, were both sides equally likely."""
    count = ahead + behind
    tail = sum(math.comb(count, hits) for hits in range(max(ahead, behind), count + 1)) / 2**count
    return min(1.0, 2 * tail)


def within(seeds, budget, column="to_99"):
    """Median evaluations to 99 % where not reached counts as the budget, and the number of runs that did not reach it."""
    found = [run[column] for run in seeds.values()]
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
    ratio(runs, one, other, problems, "evaluations", "to_99", "budget")
    if all(TIME in run for engine in (one, other) for name in problems for run in runs[engine][name].values()):
        ratio(runs, one, other, problems, "time", TIME, "time_budget")


def ratio(runs, one, other, problems, what, column, limit):
    """Of the medians to 99 %, over problems."""
    ratios, budgets, missed = {}, {}, [0, 0]
    for name in problems:
        both = [runs[one][name], runs[other][name]]
        budgets[name] = min(run[limit] for seeds in both for run in seeds.values())
        (a, missed_a), (b, missed_b) = (within(seeds, budgets[name], column) for seeds in both)
        ratios[name] = a / b
        missed = [missed[0] + missed_a, missed[1] + missed_b]
    worst = max(ratios, key=ratios.get)
    totals = [sum(len(runs[engine][name]) for name in problems) for engine in (one, other)]
    print(f"\nMedian {what} to 99 %, {one} / {other}: median over problems {median(list(ratios.values())):.3g}, "
          f"worst problem {ratios[worst]:.3g} ({worst}).", end=" ")
    if not any(missed):
        return print("All runs reached it.")
    reached = [value for value in budgets.values() if value < NEVER]
    print(f"Not reached counts as the end, {span(reached)}: {missed[0]} of {totals[0]} runs of {one}, "
          f"{missed[1]} of {totals[1]} of {other}.")


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
    check_rows()
    print("the sign test, the medians and the names are right")


def check_rows():
    """tables-study's rows and peers.py's meet under the same names; a run that stopped early limits no other."""
    assert problem_of("nas_bench_201:cifar10_error:1080ti_1_ms") == problem_of("cifar10/1080ti_1") == "cifar10/1080ti_1"
    def read_text(lines, runs):
        text = "\n".join("\t".join("" if cell == "-" else cell for cell in line.split(" ")) for line in lines)
        read_rows("made up", io.StringIO(text), runs)

    heading = "problem engine seed workers rungs share_50 share_100 share_200 share_400 to_98 to_99 to_99_5 " \
              "time_to_98 time_to_99 time_to_99_5 evaluations time held_68"
    lines = [heading,
             "t:c_error:d_ms model-based 1 1 - 0.97 - - - 60 70 - 50 65 - 70 65 0.7",
             "t:c_error:d_ms model-based 1 8 - 0.97 - - - 60 80 - 10 12 - 80 12 0.6",
             "t:c_error:d_ms model-based 1 1 12-200 - - - - 20 - - 30 - - 40 45 -",
             "t:c_error:d_ms generational 1 1 - 0.9 0.92 - - - - - - - - 150 140 -"]
    runs = collections.defaultdict(lambda: collections.defaultdict(dict))
    read_text(lines, runs)
    read_text([" ".join(COLUMNS), "c/d tpe 1 0.9 0.95 0.99 - 90 190 -"], runs)
    assert set(runs) == {"model-based", "model-based@8", "model-based@12-200", "generational", "tpe"}
    assert all(set(problems) == {"c/d"} for problems in runs.values())
    found = {engine: problems["c/d"]["1"] for engine, problems in runs.items()}
    assert [run["budget"] for run in found.values()] == [NEVER, NEVER, 40, 150, 200]
    assert found["model-based@8"][TIME] == 12 and found["model-based@12-200"]["time_budget"] == 45
    assert TIME not in found["tpe"] and "held" not in found["generational"] and found["model-based"]["held"] == 0.7
    try:
        read_text(lines, runs)
    except ValueError as error:
        assert "a second run" in str(error)
    else:
        raise AssertionError("a run counts twice")


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
