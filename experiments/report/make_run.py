#!/usr/bin/env python3
"""make_run.py FOLDER DESIGNS: a made-up run directory with tables of 30 columns and a journal, to see how the
page of edgeloop-report fares with many designs. Nothing in it was trained or measured."""
import csv
import json
import pathlib
import random
import sys

CHOICES = {"family": ["cnn3d", "swin3d", "mbconv3d"], "clip.side": [32, 48, 64], "clip.frames": [4, 8, 16],
           "channels.0": [4, 8, 16, 24], "channels.1": [8, 16, 32, 48], "channels.2": [16, 32, 64],
           "kernel": [3, 5], "hidden": [16, 32, 64], "batch": [4, 8, 16]}
METRICS = ["flops", "parameters", "latency_low_ms", "latency_high_ms", "latency_p90_ms", "latency_valid", "peak_memory_mib",
           "train_loss", "val_rmse_power_w", "val_rmse_speed_mm_s"]


def design(rng):
    genes = {name: rng.choice(words) for name, words in CHOICES.items()}
    genes["training.learning_rate"] = 10 ** rng.uniform(-4, -2)
    size = genes["channels.0"] * genes["channels.1"] * genes["clip.frames"] * genes["clip.side"] ** 2
    latency = 0.02 + size * 2e-8 * rng.uniform(0.9, 1.1)
    error = 0.08 + 0.1 / (1 + size / 5e5) + 0.01 * abs(rng.gauss(0, 1)) + (0.02 if genes["family"] == "swin3d" else 0)
    metrics = {"flops": size * 27.0, "parameters": genes["channels.1"] * genes["channels.2"] * 27, "latency_low_ms": latency * 0.98,
               "latency_high_ms": latency * 1.03, "latency_p90_ms": latency * 1.2, "latency_valid": 1, "peak_memory_mib": 60 + size / 1e5,
               "train_loss": error ** 2 * rng.uniform(0.8, 1), "val_rmse_power_w": error * 215 * rng.uniform(0.9, 1.1),
               "val_rmse_speed_mm_s": error * 900 * rng.uniform(0.9, 1.1)}
    return genes, error, latency, metrics


def main():
    folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True)
    rng = random.Random(1)
    names = ["id", "status", "val_rmse", "latency_ms", *CHOICES, "training.learning_rate", *METRICS,
             "conditions", "device", "generation", "training_seconds", "measuring_seconds", "reason"]
    assert len(names) == 30, len(names)
    rows, time_ms, seq = [], 1_790_000_000_000, 1
    with open(folder / "journal.jsonl", "w") as journal:
        def note(event, **fields):
            nonlocal seq
            journal.write(json.dumps({"seq": seq, "time_ms": time_ms, "event": event, **fields, "crc": 0}, separators=(",", ":")) + "\n")
            seq += 1
        for number in range(1, count + 1):
            genes, error, latency, metrics = design(rng)
            failed = rng.random() < 0.03
            spec = {"family": genes["family"], "architecture": {k: v for k, v in genes.items() if k != "family"},
                    "clip": {"frames": genes["clip.frames"], "side": genes["clip.side"]}, "training": {"batch": genes["batch"], "epochs": 12}}
            note("proposed", id=number, generation=(number - 1) // 50, index=(number - 1) % 50, genes=[0.0] * 10, spec=spec, epochs=12)
            note("started", id=number)
            time_ms += rng.randrange(500, 3000)
            seconds = rng.uniform(0.4, 3)
            note("trained", id=number, status="failed" if failed else "completed", metrics={"val_rmse": error}, seconds=seconds)
            note("measured", id=number, status="completed", metrics={"latency_ms": latency}, seconds=0.5, device=f"device-{number % 3}")
            note("failed" if failed else "completed", id=number, metrics={}, training_seconds=seconds, measuring_seconds=0.5)
            rows.append([number, "failed" if failed else "completed", "" if failed else error, latency, *genes.values(), *metrics.values(),
                         1, f"device-{number % 3}", (number - 1) // 50, seconds, 0.5, f"NaN in epoch {number % 12}" if failed else ""])
    best, front = float("inf"), []
    for row in sorted((row for row in rows if row[1] == "completed"), key=lambda row: row[3]):
        if row[2] < best:
            best = row[2]
            front.append(row)
    for name, table in (("evaluations.csv", rows), ("pareto.csv", front)):
        with open(folder / name, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([names, *table])
    (folder / "provenance.json").write_text(json.dumps({"identity": {"objectives": "val_rmse,latency_ms"}, "ranks": 3}))
    (folder / "status.json").write_text(json.dumps({"phase": "finished", "done": count, "reference": [1, 10]}))


if __name__ == "__main__":
    main()
