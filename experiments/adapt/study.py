#!/usr/bin/env python3
"""What study.sh asks for: the specs, and the table of drifts, models and seeds. Standard library only."""
import argparse
import array
import json
import os
import pathlib
import statistics
import subprocess
import sys

FRAMES = 16
LINES = 200
DRIFTS = {"gain 0.7": {"gain": 0.7}, "offset +20": {"offset": 20}, "blur 1.5 px": {"blur": 1.5},
          "all three": {"gain": 0.75, "offset": 15, "blur": 1.0}}


def write_specs(out, epochs):
    folder = out / "specs"
    folder.mkdir(exist_ok=True)
    for name, bits in {"float": 32, "w8a8": 8, "w4a4": 4}.items():
        spec = {"family": "cnn3d",
                "architecture": {"stages": [{"channels": 8, "kernel": [3, 3, 3], "pool": [2, 2, 2]},
                                            {"channels": 16, "kernel": [3, 3, 3], "pool": [2, 2, 2]},
                                            {"channels": 24, "kernel": [3, 3, 3], "pool": [2, 2, 2]}],
                                 "hidden": [24], "norm": "affine", "dropout": 0, "reduce": "flatten"},
                "clip": {"frames": FRAMES, "stride": 1, "side": 41},
                "training": {"optimizer": "adam", "learning_rate": 0.002, "batch": 8, "epochs": epochs,
                             "schedule": "cosine"}}
        if bits != 32:
            few = {"weights": bits, "activations": bits}
            spec["quantisation"] = {"quantiser": "lsq", "stages": [{"weights": bits, "activations": 8}, few, few], "dense": few}
        (folder / f"{name}.json").write_text(json.dumps(spec, indent=2))


def labelled(options, part, drift, seed, path):
    """A file of labelled clips of this drift."""
    line = [f"{options.bin}/edgeloop-data", "labelled", "--data", f"{options.out}/data/shards", "--part", part,
            "--frames", str(FRAMES), "--output", str(path), "--seed", str(seed)]
    if part == "validation":
        line += ["--lines", str(LINES)]
    for name, value in drift.items():
        line += [f"--{name}", str(value)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)


def tensor(path, name):
    """Bytes of a tensor of a safetensors file."""
    content = path.read_bytes()
    header_bytes = int.from_bytes(content[:8], "little")
    begin, end = json.loads(content[8:8 + header_bytes])[name]["data_offsets"]
    return content[8 + header_bytes + begin:8 + header_bytes + end]


def r2(options, model, clips):
    """Mean over the targets of R2 of a model on the clips of a file, as the device answers them."""
    frames = options.out / "frames.raw"
    frames.write_bytes(tensor(clips, "input"))
    made = options.out / "predictions.bin"
    subprocess.run([f"{options.edge}/edgeloop-edge", "run", "--model", str(model), "--frames", str(frames), "--rate", "0",
                    "--format", "binary", "--output", str(made)], check=True, stderr=subprocess.DEVNULL)
    truth = array.array("f", tensor(clips, "expected"))
    values = made.read_bytes()
    answers = [array.array("f", values[i + 8:i + 16]) for i in range(0, len(values), 16)]
    if 2 * len(answers) != len(truth):
        sys.exit("study.py: not one prediction for each clip")
    scores = []
    for k in range(2):
        labels = truth[k::2]
        mean = statistics.fmean(labels)
        wrong = sum((a[k] - t) ** 2 for a, t in zip(answers, labels))
        scores.append(1 - wrong / sum((t - mean) ** 2 for t in labels))
    return statistics.fmean(scores)


def adapt(options, model, clips, seed, out):
    """The report of edgeloop-edge adapt, and its largest resident memory in MiB."""
    line = [f"{options.edge}/edgeloop-edge", "adapt", "--model", str(model), "--labelled", str(clips), "--out", str(out),
            "--memory-limit-mib", "2", "--epochs", "30", "--batch", "8", "--learning-rate", "0.002", "--seed", str(seed), "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        text = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 2) or not text:
        sys.exit(f"study.py: {' '.join(line)} failed")
    return json.loads(text), usage.ru_maxrss / 1024


def run(options):
    print(f"R2 is the mean over speed and power, on test lines; {LINES} labelled lines of validation, a quarter of them held back.\n")
    print("| model | drift | R2 before | drifted | adapted | of the loss is back | kept | state, MiB | resident, MiB | s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for model in sorted(options.out.glob("*.elm")):
        if model.stem.startswith("adapted"):
            continue
        clean = options.out / "clean.safetensors"
        labelled(options, "test", {}, 0, clean)
        before = r2(options, model, clean)
        for name, drift in DRIFTS.items():
            test = options.out / "test.safetensors"
            labelled(options, "test", drift, 0, test)
            drifted = r2(options, model, test)
            rows = []
            for seed in range(1, options.seeds + 1):
                clips = options.out / "labelled.safetensors"
                labelled(options, "validation", drift, seed, clips)
                adapted = options.out / "adapted.elm"
                adapted.unlink(missing_ok=True)
                report, resident = adapt(options, model, clips, seed, adapted)
                after = r2(options, adapted, test) if report["kept"] else drifted
                rows.append((after, report["kept"], report["memory_bytes"]["total"] / 2**20, resident, report["seconds"]))
            after = statistics.fmean(row[0] for row in rows)
            back = (after - drifted) / (before - drifted)
            print(f"| {model.stem} | {name} | {before:.3f} | {drifted:.3f} | {after:.3f} | {100 * back:.0f} % "
                  f"| {sum(row[1] for row in rows)} of {len(rows)} | {max(row[2] for row in rows):.2f} "
                  f"| {max(row[3] for row in rows):.1f} | {statistics.fmean(row[4] for row in rows):.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["specs", "run"])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--edge", default="build/edge/bin")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    write_specs(options.out, options.epochs) if options.what == "specs" else run(options)


if __name__ == "__main__":
    main()
