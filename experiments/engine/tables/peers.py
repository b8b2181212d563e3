#!/usr/bin/env python3
"""Optuna's samplers on a table of designs: how fast each comes near the true front.

A problem is "error of a data set after 200 epochs x latency of a device", both minimised, named
DATASET/DEVICE; the genes (columns op0, op1, ...) are categorical. Each run adds one row to the output:
the hypervolume after 50 to 400 evaluations as a share of the true front's, with the table's worst error
and worst latency as reference point, and the evaluations to 98, 99 and 99.5 % of it (empty: not reached).

An evaluation is a design seen for the first time. A design proposed again is looked up again and told to
Optuna again, and costs nothing; a run ends after the evaluations asked for, or after 4 times as many
proposals, and then keeps its last share.

Samplers, all else at Optuna's defaults: tpe is TPESampler(multivariate=True) (10 random designs first),
nsga2 is NSGAIISampler() (population 50, uniform crossover), gp is GPSampler() (10 random designs first).
"""
import argparse
import bisect
import contextlib
import csv
import fcntl
import gzip
import itertools
import multiprocessing
import pathlib
import random
import re
import sys
import time
import warnings
import zlib

SHARES_AT = (50, 100, 200, 400)
TARGETS = {"to_98": 0.98, "to_99": 0.99, "to_99_5": 0.995}
COLUMNS = ["problem", "engine", "seed", *(f"share_{count}" for count in SHARES_AT), *TARGETS]
SAMPLERS = ("tpe", "nsga2", "gp")
PROPOSALS_PER_EVALUATION = 4
ERROR, LATENCY = "_error_e200", "_ms"


class Hypervolume:
    """The area that two minimised objectives dominate up to a reference point, kept up to date point by point."""

    def __init__(self, reference):
        self.reference = reference
        self.area = 0.0
        self._front = []  # mutually non-dominated points: first objective up, second down

    def add(self, point):
        x, y = point
        if x >= self.reference[0] or y >= self.reference[1]:
            return
        at = bisect.bisect_right(self._front, (x, y))
        ceiling = self._front[at - 1][1] if at > 0 else self.reference[1]
        if ceiling <= y:
            return
        # From x on, what was dominated lay above a staircase of the points that the new one now dominates.
        end = at
        left = x
        while end < len(self._front) and self._front[end][1] >= y:
            right, below = self._front[end]
            self.area += (right - left) * (ceiling - y)
            left, ceiling = right, below
            end += 1
        right = self._front[end][0] if end < len(self._front) else self.reference[0]
        self.area += (right - left) * (ceiling - y)
        self._front[at:end] = [(x, y)]


class Problem:
    """results: genes -> (error in %, latency in ms); choices: of each gene; reference: the worst of both; area: the
    true front's hypervolume."""

    def __init__(self, name, results):
        self.name = name
        self.results = results
        self.choices = [sorted(set(values)) for values in zip(*results)]
        self.reference = tuple(max(values) for values in zip(*results.values()))
        truth = Hypervolume(self.reference)
        for point in results.values():
            truth.add(point)
        self.area = truth.area


class Course:
    """What one run has reached: counts designs at their first sight only."""

    def __init__(self, problem):
        self._problem = problem
        self._seen = set()
        self._hypervolume = Hypervolume(problem.reference)
        self._shares = [0.0]  # after 0, 1, ... evaluations

    def look_up(self, genes):
        result = self._problem.results[genes]
        if genes not in self._seen:
            self._seen.add(genes)
            self._hypervolume.add(result)
            self._shares.append(self._hypervolume.area / self._problem.area)
        return result

    def evaluations(self):
        return len(self._seen)

    def cells(self, budget):
        """Of the columns share_* and to_*; empty where the budget ends before, or the target was not reached."""
        cells = {}
        for count in SHARES_AT:
            known = self._shares[min(count, self.evaluations())]
            cells[f"share_{count}"] = f"{known:.6f}" if count <= budget else ""
        for column, target in TARGETS.items():
            cells[column] = next((at for at, share in enumerate(self._shares) if share >= target), "")
        return cells


def read_problems(path):
    """All problems of the table, data sets outermost. Raises OSError, ValueError."""
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    header = list(rows[0]) if rows else []
    genes = [name for name in header if name.startswith("op") and name[2:].isdigit()]
    errors = [name for name in header if name.endswith(ERROR)]
    latencies = [name for name in header if name.endswith(LATENCY)]
    if not (genes and errors and latencies):
        raise ValueError(f"no columns op0, op1, ..., *{ERROR} and *{LATENCY}: give a table that has them")
    designs = [tuple(row[gene] for gene in genes) for row in rows]
    if len(set(designs)) != len(designs):
        raise ValueError("a design stands in two rows: give a table that has each once")
    problems = []
    for error, latency in itertools.product(errors, latencies):
        name = f"{error.removesuffix(ERROR)}/{latency.removesuffix(LATENCY)}"
        problems.append(Problem(name, dict(zip(designs, ((float(row[error]), float(row[latency])) for row in rows)))))
    return problems


def let_old_torch_serve():
    """GPSampler runs under `with torch.device("cpu")`, which torch before 2.0 lacks: its tensors are the CPU's anyway."""
    import optuna.samplers._gp.sampler as module
    import torch
    if int(torch.__version__.split(".")[0]) >= 2:
        return

    class Torch:
        device = staticmethod(lambda _: contextlib.nullcontext())

        def __getattr__(self, name):
            return getattr(torch, name)

    module.torch = Torch()


def make_sampler(name, seed):
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    if name == "tpe":
        return optuna.samplers.TPESampler(multivariate=True, seed=seed)
    if name == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed)
    let_old_torch_serve()
    return optuna.samplers.GPSampler(seed=seed)


def run(problem, name, seed, budget):
    """One row of the output, as a dictionary, and the number of proposals."""
    import optuna
    # Of problem and seed: one seed shall not begin with the same random designs on all problems.
    sampler = make_sampler(name, zlib.crc32(f"{problem.name} {seed}".encode()))
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    course = Course(problem)
    proposals = 0
    while course.evaluations() < budget and proposals < PROPOSALS_PER_EVALUATION * budget:
        trial = study.ask()
        genes = tuple(trial.suggest_categorical(f"op{at}", choices) for at, choices in enumerate(problem.choices))
        study.tell(trial, course.look_up(genes))
        proposals += 1
    return {"problem": problem.name, "engine": f"optuna-{name}", "seed": seed, **course.cells(budget)}, proposals


def timed_run(task):
    start = time.perf_counter()
    row, proposals = run(*task)
    return row, proposals, time.perf_counter() - start


def open_output(path):
    """(the file, locked; a writer of rows at its end; the runs that it holds). Raises OSError, ValueError."""
    file = open(path, "a+", newline="")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError("another process writes to it: wait for it, or name another file") from None
    file.seek(0)
    text = file.read()
    whole = text[:text.rfind("\n") + 1]  # a stop may have cut the last row
    file.truncate(len(whole.encode()))
    reader = csv.DictReader(whole.splitlines(), delimiter="\t")
    if whole and reader.fieldnames != COLUMNS:
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}: name another file")
    done = {(row["problem"], row["engine"], int(row["seed"])) for row in reader}
    writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
    if not whole:
        writer.writeheader()
    return file, writer, done


def study(problems, arguments, output):
    file, writer, done = output
    # Seeds outermost: wherever the study stops, what is there covers all problems about equally.
    tasks = [(problem, name, seed, arguments.evaluations)
             for seed in arguments.seeds for problem in problems for name in arguments.samplers
             if (problem.name, f"optuna-{name}", seed) not in done]
    with file, contextlib.ExitStack() as stack:
        results = map(timed_run, tasks)
        if arguments.jobs > 1:
            pool = stack.enter_context(multiprocessing.Pool(arguments.jobs))
            results = pool.imap_unordered(timed_run, tasks)
        for at, (row, proposals, seconds) in enumerate(results, 1):
            writer.writerow(row)
            file.flush()
            print(f"{at}/{len(tasks)} {row['problem']} {row['engine']} seed {row['seed']}: {proposals} proposals, "
                  f"{seconds:.1f} s", file=sys.stderr, flush=True)


def self_check():
    """The hypervolume after each point against one that counts the cells of a grid; designs count once."""
    def brute_force(points, reference):
        xs, ys = (sorted({point[axis] for point in points} | {reference[axis]}) for axis in (0, 1))
        return sum((right - left) * (top - bottom)
                   for left, right in zip(xs, xs[1:]) for bottom, top in zip(ys, ys[1:])
                   if right <= reference[0] and top <= reference[1]
                   and any(x <= left and y <= bottom for x, y in points))

    draw = random.Random(1)
    compared = 0
    for turn in range(60):
        reference = (9, 7) if turn % 2 else (0.9, 1.0)  # integers: many ties, points on and beyond the reference
        points, fast = [], Hypervolume(reference)
        for _ in range(25):
            points.append((draw.randint(0, 10), draw.randint(0, 10)) if turn % 2 else (draw.random(), draw.random()))
            fast.add(points[-1])
            assert abs(fast.area - brute_force(points, reference)) < 1e-12, (points, reference)
            compared += 1
    problem = Problem("made/up", {("a", "c"): (1.0, 3.0), ("a", "d"): (3.0, 1.0),
                                  ("b", "c"): (3.0, 3.0), ("b", "d"): (2.0, 2.0)})
    assert problem.reference == (3.0, 3.0) and problem.area == 1.0 and problem.choices == [["a", "b"], ["c", "d"]]
    course = Course(problem)
    for genes in (("b", "c"), ("b", "c"), ("b", "d")):
        course.look_up(genes)
    assert course.evaluations() == 2
    expected = {"share_50": "1.000000", "share_100": "1.000000", "share_200": "", "share_400": ""}
    assert course.cells(100) == {**expected, **dict.fromkeys(TARGETS, 2)}
    print(f"{compared} hypervolumes agree, designs count once")


def parse_seeds(text):
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)", text)
    seeds = range(int(found.group(1) or 1), int(found.group(2)) + 1) if found else []
    if not seeds:
        raise argparse.ArgumentTypeError(f"'{text}' names no seeds: give 15 (1 to 15) or 4-6")
    return seeds


def parse(parser):
    parser.add_argument("table", nargs="?", type=pathlib.Path, help="tab-separated, gzip: op0, ..., *_error_e200, *_ms")
    parser.add_argument("--output", type=pathlib.Path, help="TSV; runs that it holds already are skipped, whatever their "
                        "--evaluations were, so that a stopped study goes on")
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=["tpe", "nsga2"])
    parser.add_argument("--seeds", type=parse_seeds, default="15",
                        help="LAST or FIRST-LAST (default: %(default)s, that is 1 to 15)")
    parser.add_argument("--evaluations", type=int, choices=SHARES_AT, default=SHARES_AT[-1],
                        help="distinct designs of a run (default: %(default)s)")
    parser.add_argument("--problems", nargs="+", default=[""], metavar="SUBSTRING",
                        help="those whose name has one of these (default: all)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--self-check", action="store_true",
                        help="checks the hypervolume and the counting; needs no Optuna")
    return parser.parse_args()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments = parse(parser)
    if arguments.self_check:
        return self_check()
    if arguments.table is None or arguments.output is None:
        parser.error("a table and --output are needed")
    try:
        problems = read_problems(arguments.table)
    except (OSError, ValueError, EOFError) as error:
        parser.error(f"cannot read {arguments.table}: {error}")
    chosen = [problem for problem in problems if any(part in problem.name for part in arguments.problems)]
    if not chosen:
        parser.error(f"no problem has {' or '.join(arguments.problems)} in its name: try {problems[0].name}")
    try:
        __import__("optuna")
        if "gp" in arguments.samplers:
            __import__("torch")
    except ImportError as error:
        parser.error(f"{error}: run peers.sh, which installs Optuna; gp needs torch (Debian: apt-get install python3-torch)")
    try:
        output = open_output(arguments.output)
    except (OSError, ValueError) as error:
        parser.error(f"cannot write {arguments.output}: {error}")
    study(chosen, arguments, output)


if __name__ == "__main__":
    main()
