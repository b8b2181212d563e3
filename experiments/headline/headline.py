#!/usr/bin/env python3
"""The headline: human design, published method and edgeloop, with the same number of trainings, samples and epochs, measured
by the same agent. Started by headline.sh; README.md says what is compared and how. `--self-check` tests its own arithmetic."""
import argparse
import contextlib
import json
import math
import os
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Two-sided 95 % points of Student's t for 1, 2, ... degrees of freedom.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]
CLASS = "headline"

# side: of the human design's and the published space's clips. samples: scan lines of a search's training, 0: all.
# final: epochs of the chosen designs, trained in full. seconds: of a measurement. rounds: of the last one.
SCALES = {
    "smoke": {"side": 16, "trainings": 3, "epochs": 1, "samples": 16, "seeds": 1, "final": 1, "seconds": 0.2, "rounds": 1,
              "data": {"objects": 6, "layers": 2, "lines": 8, "part-size": 4}},
    "small": {"side": 56, "trainings": 64, "epochs": 2, "samples": 0, "seeds": 3, "final": 20, "seconds": 2, "rounds": 3,
              "data": {"objects": 8, "layers": 8, "lines": 30, "part-size": 5}},
    "full": {"side": 224, "trainings": 64, "epochs": 2, "samples": 0, "seeds": 3, "final": 100, "seconds": 10, "rounds": 5,
             "data": None},
}
# Arm -> what it adds to the one before, its space, and the runtime on the device.
ARMS = {
    "edgeloop, published space": ("the search: many results at once, a model, two objectives", "published", "torchscript"),
    "edgeloop, mixed": ("the space: three families, clips of other sides and lengths, recipes", "mixed", "torchscript"),
    "edgeloop, mixed-lowbit": ("bits, on the runtime that computes with them", "mixed-lowbit", "native"),
}
HUMAN, PUBLISHED = "human design", "published method"
RUNTIMES = {HUMAN: "torchscript", PUBLISHED: "torchscript", **{name: arm[2] for name, arm in ARMS.items()}}


# --- designs of the published space, for the method that is made again

def set_in(spec, path, value):
    *folders, last = path.split(".")
    for name in folders:
        spec = spec[int(name)] if isinstance(spec, list) else spec[name]
    if isinstance(spec, list):
        spec[int(last)] = value
    else:
        spec[last] = value


def published_space(side):
    space = json.loads((ROOT / "src/space/spaces/hpc2edge.json").read_text())
    space["name"], space["base"]["clip"]["side"] = f"published-{side}", side
    return space


def spec_of(space, genes):
    spec = json.loads(json.dumps(space["base"]))
    for variable in space["variables"]:
        set_in(spec, variable["name"], genes[variable["name"]])
    return spec


def sampled(variable, rng):
    if "choices" in variable:
        return rng.choice(variable["choices"])
    low, high = variable["lower"], variable["upper"]
    return math.exp(rng.uniform(math.log(low), math.log(high))) if variable["kind"] == "log_real" else rng.uniform(low, high)


def mutated(space, genes, rng):
    """Each gene is drawn anew with probability 1 / number of genes, one at least: the discrete (1+1) evolution strategy."""
    child, variables = dict(genes), space["variables"]
    while True:
        for variable in variables:
            if rng.random() < 1 / len(variables):
                child[variable["name"]] = sampled(variable, rng)
        if child != genes:
            return child


def evolve(space, seed, trainings, evaluate):
    """(1+1) evolution on one score: the child takes its parent's place when it is no worse. Failed ones never do.

    @param evaluate  number and genes -> score, infinite when it failed.
    """
    rng, parent, best, history = random.Random(seed), None, math.inf, []
    for number in range(trainings):
        child = mutated(space, parent, rng) if parent else {v["name"]: sampled(v, rng) for v in space["variables"]}
        score = evaluate(number, child)
        history.append({"number": number, "genes": child, "score": score})
        if parent is None or score <= best:
            parent, best = child, score
    return parent, history


def choice(front, limit):
    """The fastest member of a front that is no worse than the limit; the most accurate one where none is."""
    good = [row for row in front if row["val_rmse"] <= limit]
    return min(good, key=lambda row: row["latency_ms"]) if good else min(front, key=lambda row: row["val_rmse"])


# --- figures

def interval(values):
    """Geometric mean of ratios with its 95 % interval by Student's t over seeds; of one seed without."""
    logs = [math.log(value) for value in values]
    mean = statistics.mean(logs)
    if len(logs) < 2:
        return math.exp(mean), None, None
    half = STUDENT[min(len(logs), len(STUDENT) + 1) - 2] * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def ratio_text(values):
    mean, low, high = interval(values)
    return f"{mean:.3g}" if low is None else f"{mean:.3g} ({low:.3g} to {high:.3g})"


def table(results):
    """results: arm -> seed -> {test_loss, latency_ms, ...}."""
    seeds = sorted(results[HUMAN])

    def ratios(of, over, key):
        return ratio_text([results[over][seed][key] / results[of][seed][key] for seed in seeds])

    lines = ["| | test loss | latency, ms | human loss / its loss | human latency / its latency | published loss / its loss |"
             " published latency / its latency |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for arm, by_seed in results.items():
        loss = statistics.mean(by_seed[seed]["test_loss"] for seed in seeds)
        latency = statistics.geometric_mean(by_seed[seed]["latency_ms"] for seed in seeds)
        against = [ratios(arm, other, key) for other in (HUMAN, PUBLISHED) for key in ("test_loss", "latency_ms")]
        lines.append(f"| {arm} | {loss:.4g} | {latency:.3g} | " + " | ".join(against) + " |")
    return "\n".join(lines)


# --- the programs

class Study:
    def __init__(self, options):
        self.scale, self.out, self.bin = dict(SCALES[options.scale]), options.out.resolve(), options.bin.resolve()
        if options.seeds:
            self.scale["seeds"] = options.seeds
        self.unit = options.score_latency
        self.shards = options.shards.resolve() if options.shards else self.out / "data/shards"
        self.space = published_space(self.scale["side"])
        self.address = None

    def program(self, name, *words, check=True):
        command = [str(self.bin / f"edgeloop-{name}"), *map(str, words)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if check and done.returncode != 0:
            raise SystemExit(f"headline: {' '.join(command)}\n{done.stdout}{done.stderr}")
        return done

    def kept(self, path, make):
        """JSON of a file, which `make` makes when it is missing. Named only when it is whole."""
        path = self.out / path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(make(), indent=1))
            part.rename(path)
            print(f"headline: {path.relative_to(self.out)}", flush=True)
        return json.loads(path.read_text())

    def make_data(self):
        if (self.shards / "catalogue.json").exists():
            return
        if not self.scale["data"]:
            raise SystemExit("headline: --scale full is for recordings of a real machine: --shards FOLDER (edgeloop-data shard)")
        words = [word for name, value in self.scale["data"].items() for word in (f"--{name}", value)]
        self.program("data", "synth", "--output", self.out / "data/raise", "--seed", 1, *words)
        self.program("data", "shard", "--input", *sorted((self.out / "data/raise").glob("*.hdf5")), "--output", self.shards,
                     "--shards", 2, "--split", "official", "--seed", 1)

    @contextlib.contextmanager
    def device(self):
        """One bridge and one agent on this machine, for all that is measured."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        cores = sorted(os.sched_getaffinity(0))
        agent = ["edge", "serve", "--connect", self.address, "--class", CLASS, "--name", CLASS, "--cores", cores[-1]]
        children = []
        try:
            for words in (["bridge", "serve", "--bind", self.address, "--store", self.out / "bridge"], agent):
                log = open(self.out / f"{words[0]}.log", "a")
                children.append(subprocess.Popen([str(self.bin / f"edgeloop-{words[0]}"), *map(str, words[1:])], stdout=log,
                                                 stderr=subprocess.STDOUT))
            if len(cores) > 1:  # trainings and measurements on cores of their own
                os.sched_setaffinity(0, cores[:-1])
            deadline = time.monotonic() + 120
            while f'"class": "{CLASS}"' not in self.program("bridge", "status", "--json", "--connect", self.address, check=False).stdout:
                if time.monotonic() > deadline or any(child.poll() is not None for child in children):
                    raise SystemExit(f"headline: no device came; see {self.out}/bridge.log and edge.log")
                time.sleep(0.2)
            yield
        finally:
            for child in reversed(children):
                child.terminate()
            for child in children:
                child.wait()
            os.sched_setaffinity(0, cores)

    def latency(self, spec, runtime, repeat=0):
        """Milliseconds; none: it could not be measured."""
        done = self.program("bridge", "submit", "--connect", self.address, "--device", CLASS, "--spec", spec, "--runtime", runtime,
                            "--seconds", self.scale["seconds"], "--repeat", repeat, "--wait", "--json", check=False)
        found = json.loads(done.stdout) if done.returncode == 0 else {}
        return found.get("latency_ms")

    def train(self, spec, out, epochs, seed, samples):
        """Validation metrics of its best epoch; none: it failed."""
        done = self.program("model", "train", "--spec", spec, "--data", self.shards, "--out", out, "--epochs", epochs, "--seed", seed,
                            "--max-train-samples", samples, "--augment", "--short-lines", "pad", "--overwrite", check=False)
        if done.returncode != 0:
            (pathlib.Path(out).parent / "failed.log").open("a").write(done.stdout + done.stderr)
            return None
        return json.loads((pathlib.Path(out) / "training.json").read_text())

    # --- arms: each gives the spec that it chose

    def human(self):
        spec = json.loads((ROOT / "src/architecture/specs/human.json").read_text())
        spec["clip"]["side"] = self.scale["side"]
        return spec

    def published(self, seed):
        """The published method, made again."""
        folder = self.out / f"seed-{seed}/published-method"

        def evaluate(number, genes):
            def make():
                spec = folder / f"{number}.json"
                spec.parent.mkdir(parents=True, exist_ok=True)
                spec.write_text(json.dumps(spec_of(self.space, genes)))
                latency = self.latency(spec, RUNTIMES[PUBLISHED])
                trained = self.train(spec, folder / "training", self.scale["epochs"], 1000 * seed + number, self.scale["samples"])
                return {"latency_ms": latency, "val_rmse": trained and val_rmse(trained)}
            found = self.kept(folder / f"{number}-result.json", make)
            if found["latency_ms"] is None or found["val_rmse"] is None:
                return math.inf
            latency = found["latency_ms"] * (1 if self.unit == "ms" else 1e-3)
            return found["val_rmse"] ** 2 + latency / 16

        best, history = evolve(self.space, seed, self.scale["trainings"], evaluate)
        if not math.isfinite(min(row["score"] for row in history)):
            raise SystemExit(f"headline: no design of the published method came through; see {folder}")
        number = min(history, key=lambda row: row["score"])["number"]
        found = json.loads((folder / f"{number}-result.json").read_text())
        return {"spec": spec_of(self.space, best), "trainings": len(history), **found}

    def search(self, seed, space, runtime, limit):
        run = self.out / f"seed-{seed}/{space}"
        name = space
        if space == "published":
            name = self.out / "published-space.json"
            name.write_text(json.dumps(self.space))
        # As many trainings in all as the published method: none is spent on repeats.
        words = ["--data", self.shards, "--space", name, "--run-dir", run, "--seed", seed, "--evaluations", self.scale["trainings"],
                 "--population", max(2, min(16, self.scale["trainings"])), "--epochs", self.scale["epochs"], "--confirm", 0,
                 "--max-train-samples", self.scale["samples"], "--short-lines", "pad", "--edge", self.address, "--device-class", CLASS,
                 "--measure-runtime", runtime, "--measure-seconds", self.scale["seconds"], "--quiet"]
        if (run / "journal.jsonl").exists():
            words.append("--resume")
        self.program("search", *words)
        exported = run / "designs.json"
        self.program("report", run, "--export", "json", "--output", exported)
        designs = json.loads(exported.read_text())["designs"]
        front = [{"id": each["id"], "spec": each["spec"], **each["objectives"]} for each in designs if each["on_front"]]
        chosen = choice(front, limit)
        trainings = sum(len(each["trainings"]) for each in designs)
        return {"spec": chosen["spec"], "trainings": trainings, "latency_ms": chosen["latency_ms"], "val_rmse": chosen["val_rmse"],
                "front": [{key: row[key] for key in ("id", "val_rmse", "latency_ms")} for row in front]}

    def judge(self, arm, seed, chosen):
        """Trained in full and tested on objects that nothing has seen."""
        folder = self.out / f"seed-{seed}/full/{arm.replace(', ', '-').replace(' ', '-')}"

        def make():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "design.json").write_text(json.dumps(chosen["spec"]))
            trained = self.train(folder / "design.json", folder / "trained", self.scale["final"], 100 + seed, 0)
            if trained is None:
                raise SystemExit(f"headline: {arm}, seed {seed}: its full training failed; see {folder}/failed.log")
            scores = json.loads(self.program("model", "evaluate", "--model", folder / "trained", "--data", self.shards, "--json").stdout)
            return {"test_rmse": scores["scores"]["rmse_normalised"]["value"], "val_rmse": val_rmse(trained)}
        return self.kept(folder / "judged.json", make), folder / "design.json"

    def run(self):
        self.out.mkdir(parents=True, exist_ok=True)
        self.make_data()
        results = {arm: {} for arm in (HUMAN, PUBLISHED, *ARMS)}
        with self.device():
            specs = {}
            for seed in range(1, self.scale["seeds"] + 1):
                published = self.kept(f"seed-{seed}/published.json", lambda: self.published(seed))
                chosen = {HUMAN: {"spec": self.human(), "trainings": 0}, PUBLISHED: published}
                for arm, (_, space, runtime) in ARMS.items():
                    chosen[arm] = self.kept(f"seed-{seed}/{space}.json",
                                            lambda: self.search(seed, space, runtime, published["val_rmse"]))
                for arm, found in chosen.items():
                    judged, specs[arm, seed] = self.judge(arm, seed, found)
                    results[arm][seed] = {"trainings": found["trainings"], "test_loss": judged["test_rmse"] ** 2, **judged}
            # The last measurements, in turn, while nothing else runs.
            times = {key: [] for key in specs}
            for number in range(1, self.scale["rounds"] + 1):
                for key, spec in specs.items():
                    times[key].append(self.latency(spec, RUNTIMES[key[0]], number))
            for (arm, seed), measured in times.items():
                if None in measured:
                    raise SystemExit(f"headline: {arm}, seed {seed} could not be measured; see {self.out}/edge.log")
                results[arm][seed]["latency_ms"] = statistics.median(measured)
        (self.out / "headline.json").write_text(json.dumps({"scale": self.scale, "score_latency": self.unit, "results": results}, indent=1))
        text = table(results)
        (self.out / "headline.md").write_text(text + "\n")
        print(text)


def val_rmse(trained):
    """From training.json."""
    return trained["repeats"][trained["chosen"]]["metrics"]["val_rmse"]


def self_check():
    space = published_space(56)
    rng = random.Random(1)
    genes = {v["name"]: sampled(v, rng) for v in space["variables"]}
    spec = spec_of(space, genes)
    assert spec["clip"]["side"] == 56 and spec["architecture"]["depths"][2] == genes["architecture.depths.2"]
    for _ in range(200):
        child = mutated(space, genes, rng)
        assert child != genes
        genes = child
        for variable in space["variables"]:
            value = genes[variable["name"]]
            assert value in variable["choices"] if "choices" in variable else variable["lower"] <= value <= variable["upper"]
    # It finds the design whose score is the number of genes that differ from a target.
    target = {v["name"]: v["choices"][0] for v in space["variables"] if "choices" in v}
    best, history = evolve(space, 3, 600, lambda number, genes: sum(genes[name] != value for name, value in target.items()))
    assert all(best[name] == value for name, value in target.items())
    assert len(history) == 600
    # What failed never takes its parent's place.
    best, history = evolve(space, 3, 20, lambda number, genes: 1 if number == 0 else math.inf)
    assert best == history[0]["genes"]
    front = [{"val_rmse": 0.3, "latency_ms": 1}, {"val_rmse": 0.2, "latency_ms": 2}, {"val_rmse": 0.1, "latency_ms": 3}]
    assert choice(front, 0.25) == front[1] and choice(front, 0.05) == front[2]
    mean, low, high = interval([2, 8])
    assert abs(mean - 4) < 1e-12 and low < 2 and high > 8 and interval([3])[1] is None
    results = {arm: {1: {"test_loss": 4 / place, "latency_ms": 8 / place}} for place, arm in enumerate((HUMAN, PUBLISHED), 1)}
    assert "| published method | 2 | 4 | 2 | 2 | 1 | 1 |" in table(results), table(results)
    print("self-check passed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path, nargs="?")
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--seeds", type=int, help="how many, from 1; default: as the scale says")
    parser.add_argument("--shards", type=pathlib.Path, help="instead of generated data")
    parser.add_argument("--score-latency", choices=("s", "ms"), default="s", help="unit of the latency in the published method's score")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--self-check", action="store_true")
    options = parser.parse_args()
    if options.self_check:
        return self_check()
    if options.out is None:
        parser.error("name a folder for what is made")
    Study(options).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
