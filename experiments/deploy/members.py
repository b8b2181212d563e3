#!/usr/bin/env python3
"""Deploys members of quickstart-sized fronts and checks each on this machine as a device would.

usage: members.py --data SHARDS --out FOLDER [--members 20] [--runtime native] [--build build/release]

Searches as mpi_launch/quickstart.ini says, with seeds 1, 2, ... and the runtime, until the fronts have so many members. Each member
is trained in full, deployed, and its file is measured with its test vectors by edgeloop-edge, in its sandbox. Nothing else may run
on the machine while FOLDER/members.csv is made: latencies are compared with those of the searches. Where a promise does not hold, the
file is measured three times more, and the table says what that gave. A study that was stopped goes on when the same command is given
again; FOLDER/members.md is the result.
"""
import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
FILES = {"native": "model.elm", "torchscript": "model.pt", "onnx": "model.onnx"}
AGAIN = 3
COLUMNS = ("seed", "id", "family", "file", "vectors", "largest_difference", "prediction", "promised_ms", "measured_ms", "promise", "why")


def call(*words):
    print("+", *words, flush=True)
    return subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True, cwd=ROOT,
                          env={**os.environ, **ENVIRONMENT})


def run(*words):
    done = call(*words)
    if done.returncode != 0:
        sys.exit(f"members.py: exit code {done.returncode}: {' '.join(map(str, words))}\n{done.stdout}")
    return done.stdout


def search(seed, options):
    run_dir = options.out / f"search-{seed}"
    if (run_dir / "pareto.csv").exists() and json.loads((run_dir / "status.json").read_text())["phase"] == "finished":
        return run_dir
    run("mpi_launch/run_local.sh", 3, run_dir, "--config", "mpi_launch/quickstart.ini", "--data", options.data, "--save-weights",
        "--measure-runtime", options.runtime, "--space", options.space, "--seed", seed)
    return run_dir


def check(run_dir, seed, member, options):
    place = options.out / f"member-{seed}-{member['id']}"
    file = FILES[options.runtime]
    if not (place / "trained" / "training.json").exists():
        resume = ["--resume"] if (place / "trained" / "training").exists() else []
        run(options.bin / "edgeloop-model", "train", "--from", run_dir, "--select", member["id"], "--data", options.data, "--out",
            place / "trained", *resume)
    if not (place / "handover").exists():
        run(options.bin / "edgeloop-model", "deploy", "--model", place / "trained", "--data", options.data, "--out",
            place / "handover", "--files", file)
    spec = json.loads((place / "trained" / "spec.json").read_text())
    row = {"seed": seed, "id": member["id"], "family": spec["family"], "file": file}
    if not (place / "handover" / file).exists():
        return {**row, "prediction": "left out", "why": "the family has no such file"}
    answer = measured(place / "handover" / file, options)
    vectors, promise = answer["record"]["vectors"], answer["record"].get("promise", {})
    if promise.get("holds") is False:
        # Is it the file or the moment?
        again = [measured(place / "handover" / file, options) for _ in range(AGAIN)]
        holds = sum(other["record"]["promise"]["holds"] is True for other in again)
        times = ", ".join(f"{other['metrics']['latency_ms']:.3g}" for other in again)
        promise["why"] += f"; {AGAIN} measurements later: {times} ms, {holds} of them hold"
    return {**row, "vectors": vectors["vectors"], "largest_difference": vectors["largest_difference"],
            "prediction": verdict(vectors["holds"]), "promised_ms": promise.get("promised_ms"),
            "measured_ms": answer["metrics"]["latency_ms"], "promise": verdict(promise.get("holds")), "why": promise.get("why", "")}


def measured(path, options):
    said = call(options.bin / "edgeloop-edge", "measure", "--model", path, "--vectors", f"{path}.vectors.safetensors", "--json")
    if said.returncode not in (0, 2) or not said.stdout.startswith("{"):
        sys.exit(f"members.py: {path} was not measured:\n{said.stdout}")
    return json.loads(said.stdout)


def verdict(holds):
    return {True: "holds", False: "does not hold", None: "not comparable"}[holds]


def summary(rows):
    lines = ["| seed | id | family | prediction | largest difference | promised ms | measured ms | ratio | promise |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    ratios = []
    for row in rows:
        ratio = ""
        if row.get("promised_ms"):
            ratios.append(float(row["measured_ms"]) / float(row["promised_ms"]))
            ratio = f"{ratios[-1]:.3f}"
        cells = [row["seed"], row["id"], row["family"], row["prediction"], row.get("largest_difference", ""),
                 row.get("promised_ms", ""), row.get("measured_ms", ""), ratio, row.get("promise", "")]
        cells = [f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells]
        cells[-1] += f": {row['why']}" if row.get("why") else ""
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("")
    lines.append(f"{len(rows)} members: the prediction holds on {sum(row['prediction'] == 'holds' for row in rows)}, the latency promise "
                 f"on {sum(row.get('promise') == 'holds' for row in rows)}; measured over promised, median "
                 f"{statistics.median(ratios):.3f}." if ratios else f"{len(rows)} members, no promise to compare.")
    return "\n".join(lines) + "\n"


def self_check():
    rows = [{"seed": 1, "id": "4", "family": "cnn3d", "prediction": "holds", "largest_difference": 1e-7, "promised_ms": 0.1,
             "measured_ms": 0.102, "promise": "holds", "why": ""},
            {"seed": 1, "id": "5", "family": "swin3d", "prediction": "left out", "why": "the family has no such file"}]
    text = summary(rows)
    assert "| 1 | 4 | cnn3d | holds | 1e-07 | 0.1 | 0.102 | 1.020 | holds |" in text, text
    assert "2 members: the prediction holds on 1, the latency promise on 1; measured over promised, median 1.020." in text, text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--runtime", choices=sorted(FILES), default="torchscript")
    parser.add_argument("--space", default="quickstart")
    parser.add_argument("--build", default=ROOT / "build/release", type=pathlib.Path)
    options = parser.parse_args()
    options.bin = options.build.resolve() / "bin"
    ENVIRONMENT["EDGELOOP_BUILD"] = str(options.build.resolve())
    options.out, options.data = options.out.resolve(), options.data.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    members, seed = [], 0
    while len(members) < options.members:
        seed += 1
        run_dir = search(seed, options)
        with open(run_dir / "pareto.csv", newline="") as file:
            members += [(run_dir, seed, row) for row in csv.DictReader(file)]
    rows = [check(run_dir, seed, member, options) for run_dir, seed, member in members[:options.members]]
    with open(options.out / "members.csv", "w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    (options.out / "members.md").write_text(summary(rows))
    print(summary(rows))


if __name__ == "__main__":
    if "--self-check" in sys.argv:
        self_check()
        sys.exit(0)
    main()
