"""memory.py PROGRAM: where the memory of a training step goes, dense and in tensor form.

PROGRAM is edgeloop-model; what it counts is exact but for scratch memory.
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

BASELINE = json.loads(
    (pathlib.Path(__file__).parents[2] / "src/architecture/specs/cnn3d-baseline.json").read_text())
LARGE = {
    "family": "cnn3d",
    "architecture": {
        "stages": [{"channels": 64, "kernel": [3, 5, 5], "pool": [2, 2, 2]},
                   {"channels": 256, "kernel": [3, 3, 3], "pool": [2, 2, 2]},
                   {"channels": 512, "kernel": [3, 3, 3], "pool": [2, 2, 2]},
                   {"channels": 1024, "kernel": [3, 3, 3], "pool": [1, 2, 2]}],
        "hidden": [1024, 256], "norm": "group", "reduce": "flatten"},
    "clip": {"frames": 16, "stride": 1, "side": 41},
    "training": {"optimizer": "adam", "learning_rate": 0.001, "batch": 8, "epochs": 20, "schedule": "constant"},
}
KINDS = ["weights", "gradients", "optimiser", "activations", "derived", "total"]


def with_ranks(spec, rank, dense_rank):
    made = copy.deepcopy(spec)
    stages = len(spec["architecture"]["stages"])
    made["low_rank"] = {"adaptation": "none",
                        "stages": [{"format": "tt", "rank_max": rank}] * stages,
                        "dense": {"format": "tt", "rank_max": dense_rank}}
    return made


def one_at_a_time(spec):
    made = copy.deepcopy(spec)
    made["training"]["micro_batch"] = 1
    return made


def memory_of(program, spec):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "spec.json"
        file.write_text(json.dumps(spec))
        told = subprocess.run([program, "describe", "--spec", str(file), "--json"],
                              check=True, capture_output=True, text=True)
    counted = json.loads(told.stdout)
    return counted["parameters"], counted["training_memory_bytes"]


def main():
    program = sys.argv[1]
    print("| design | form | parameters | " + " | ".join(f"{kind} MiB" for kind in KINDS) +
          " | weights, gradients, optimiser smaller | whole smaller |")
    print("| --- " * (len(KINDS) + 5) + "|")
    for name, spec in (("cnn3d-baseline", BASELINE), ("large", LARGE)):
        dense = None
        forms = [("dense", spec), ("tt, ranks 8 and 8", with_ranks(spec, 8, 8)),
                 ("tt, ranks 16 and 16", with_ranks(spec, 16, 16))]
        forms += [(f"{form}, a clip at a time", one_at_a_time(made)) for form, made in forms]
        for form, made in forms:
            parameters, memory = memory_of(program, made)
            state = sum(memory[kind] for kind in ("weights", "gradients", "optimiser"))
            if dense is None:
                dense = (state, memory["total"])
            cells = [f"{memory[kind] / 2**20:.2f}" for kind in KINDS]
            print(f"| {name} | {form} | {parameters} | " + " | ".join(cells) +
                  f" | {dense[0] / state:.0f} | {dense[1] / memory['total']:.1f} |")


if __name__ == "__main__":
    main()
