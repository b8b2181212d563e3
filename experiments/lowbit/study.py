#!/usr/bin/env python3
"""study.py specs FOLDER --epochs N: the designs that are compared, as spec files.
study.py table OUT: the table of the study, from OUT/<design>-<seed>.json."""
import argparse
import json
import pathlib
import statistics

# Two-sided 95 % points of Student's t for 1, 2, ... degrees of freedom.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]
BITS = (8, 4, 2)


def designs(epochs):
    """Name and spec of each: one small cnn3d with the norm that folds, in float32 and in bits."""
    base = {
        "family": "cnn3d",
        "architecture": {
            "stages": [
                {"channels": 8, "kernel": [3, 3, 3], "pool": [2, 2, 2]},
                {"channels": 24, "kernel": [3, 3, 3], "pool": [2, 2, 2]},
                {"channels": 32, "kernel": [1, 3, 3], "pool": [1, 2, 2]},
            ],
            "hidden": [64],
            "norm": "affine",
            "reduce": "flatten",
        },
        "clip": {"frames": 8, "stride": 1, "side": 20},
        "training": {"optimizer": "adamw", "learning_rate": 0.003, "weight_decay": 0.001,
                     "batch": 8, "epochs": epochs, "schedule": "one-cycle"},
    }
    yield "float-affine", base
    group = json.loads(json.dumps(base))
    group["architecture"]["norm"] = "group"
    yield "float-group", group
    for norm, quantiser in (("affine", "lsq"), ("affine", "vecq"), ("frozen", "lsq")):
        for bits in BITS:
            few = {"weights": bits, "activations": bits}
            spec = json.loads(json.dumps(base))
            spec["architecture"]["norm"] = norm
            spec["quantisation"] = {"quantiser": quantiser, "float_share": 0.5,
                                    "stages": [{"weights": 8, "activations": 8}, few, few],
                                    "dense": few}
            yield f"{quantiser}-w{bits}a{bits}" + ("" if norm == "affine" else "-frozen"), spec


def errors_of(out, design):
    """Test RMSE by seed."""
    found = {}
    for path in out.glob(f"{design}-[0-9]*.json"):
        scores = json.loads(path.read_text())
        found[int(path.stem.rsplit("-", 1)[1])] = scores["scores"]["rmse_normalised"]["value"]
    return found


def with_interval(values):
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:+.1f} %"
    spread = STUDENT[min(len(values), len(STUDENT) + 1) - 2]
    half = spread * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:+.1f} % ({mean - half:+.1f} to {mean + half:+.1f})"


def print_table(out):
    reference = errors_of(out, "float-affine")
    print("| design | test RMSE | rise over float-affine of the same seed, mean (95 % interval) | seeds |")
    print("| --- | --- | --- | --- |")
    for design, _ in designs(1):
        errors = errors_of(out, design)
        seeds = sorted(errors.keys() & reference.keys())
        if not seeds:
            continue
        rises = [100 * (errors[seed] / reference[seed] - 1) for seed in seeds]
        rise = "" if design == "float-affine" else with_interval(rises)
        mean = statistics.mean(errors[seed] for seed in seeds)
        print(f"| {design} | {mean:.4f} | {rise} | {len(seeds)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["specs", "table"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--epochs", type=int, default=40)
    wanted = parser.parse_args()
    if wanted.action == "table":
        return print_table(wanted.folder)
    for name, spec in designs(wanted.epochs):
        (wanted.folder / f"{name}.json").write_text(json.dumps(spec))


if __name__ == "__main__":
    main()
