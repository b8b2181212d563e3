"""What TensorBoard and Optuna read of a run is what its own tables and journal say. Started by run.sh."""
import csv
import json
import os
import pathlib
import subprocess
import sys
import unittest

import optuna
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

BIN, WORK, SHARDS, SPACE = sys.argv[1:5]
optuna.logging.set_verbosity(optuna.logging.WARNING)


def run(program, *words):
    result = subprocess.run([f"{BIN}/{program}", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, "EDGELOOP_OVERSUBSCRIBE": "allow"})
    assert result.returncode == 0, result.stdout
    return result.stdout


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def events(run_dir):
    with open(f"{run_dir}/journal.jsonl") as file:
        return [json.loads(line) for line in file]


class Trained(unittest.TestCase):
    """A search that trains, with rungs and repeats."""

    @classmethod
    def setUpClass(cls):
        cls.run_dir = f"{WORK}/trained"
        run("edgeloop-search", "--data", SHARDS, "--space", SPACE, "--run-dir", cls.run_dir, "--edge", "model", "--population", "4",
            "--evaluations", "8", "--rungs", "1", "3", "--confirm", "2", "--tensorboard")
        cls.trained = [event for event in events(cls.run_dir) if event["event"] == "trained"]

    def test_journal_has_curves(self):
        self.assertGreaterEqual(len(self.trained), 8)
        for event in self.trained:
            self.assertEqual(event["curve"]["epoch"], sorted(event["curve"]["epoch"]))
            self.assertIsNotNone(event["curve"]["val_rmse"][-1])
        self.assertTrue(any(event["curve"]["epoch"] == [2, 3] for event in self.trained), "a higher rung goes on")

    def test_tensorboard_reads_the_learning_curves(self):
        expected = {}
        for event in self.trained:
            name = str(event["id"]) if event["id"] < 10**9 else f"{event['id'] % 10**9}-repeat-{event['id'] // 10**9}"
            for tag in set(event["curve"]) - {"epoch"}:
                for epoch, value in zip(event["curve"]["epoch"], event["curve"][tag]):
                    if value is not None:
                        expected.setdefault((name, tag), {})[epoch] = value
        self.assertTrue(any("repeat" in name for name, _ in expected))
        found = {}
        for folder in pathlib.Path(self.run_dir, "tensorboard/designs").iterdir():
            accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
            for tag in accumulator.Tags()["scalars"]:
                found[folder.name, tag] = {point.step: point.value for point in accumulator.Scalars(tag)}
        self.assertEqual(set(found), set(expected))
        for key, points in expected.items():
            self.assertEqual(set(found[key]), set(points), key)
            for epoch, value in points.items():
                self.assertAlmostEqual(found[key][epoch], value, delta=1e-6 * abs(value))

    def test_tensorboard_reads_the_progress(self):
        accumulator = EventAccumulator(f"{self.run_dir}/tensorboard/search").Reload()
        expected = table(f"{self.run_dir}/progress.csv")
        self.assertGreater(len(expected), 0)
        last = {point.step: point.value for point in accumulator.Scalars("best/val_rmse")}
        done = int(expected[-1]["done"])
        self.assertEqual(max(last), done)
        self.assertAlmostEqual(last[done], float(expected[-1]["best_val_rmse"]), places=5)
        self.assertIn("best/latency_ms", accumulator.Tags()["scalars"])

    def test_files_are_their_owners(self):
        files = [path for path in pathlib.Path(self.run_dir, "tensorboard").rglob("*")]
        self.assertGreater(len(files), 4)
        for path in files:
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_export_as_json(self):
        run("edgeloop-report", self.run_dir, "--export", "json")
        with open(f"{self.run_dir}/designs.json") as file:
            exported = json.load(file)
        rows = {row["id"]: row for row in table(f"{self.run_dir}/evaluations.csv")}
        self.assertEqual({str(design["id"]) for design in exported["designs"]}, set(rows))
        front = {row["id"] for row in table(f"{self.run_dir}/pareto.csv")}
        self.assertEqual({str(design["id"]) for design in exported["designs"] if design["on_front"]}, front)
        for design in exported["designs"]:
            self.assertEqual(design["objectives"]["latency_ms"], float(rows[str(design["id"])]["latency_ms"]))
            curves = [training["curve"] for training in design["trainings"]]
            self.assertEqual(curves, [event["curve"] for event in self.trained if event["id"] % 10**9 == design["id"]])
            self.assertIn("architecture", design["spec"])

    def test_optuna_has_the_validated_epochs(self):
        file = f"{WORK}/trained.log"
        run("edgeloop-report", self.run_dir, "--export", "optuna", "-o", file)
        study = optuna.load_study(study_name="trained", storage=storage(file))
        highest = max(trial.user_attrs["epochs"] for trial in study.trials)
        self.assertEqual(highest, 3)
        for trial in study.trials:
            epochs = {1, 3} if trial.user_attrs["epochs"] == 3 else {1}
            self.assertEqual(set(trial.intermediate_values), epochs)


def storage(file):
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(file))


class Looked(unittest.TestCase):
    """A search with a limit, of made-up results."""

    @classmethod
    def setUpClass(cls):
        cls.run_dir = f"{WORK}/looked"
        run("edgeloop-search", "--problem", "nas-table", "--engine", "generational", "--population", "20", "--evaluations", "160",
            "--constraint", "latency_ms<=20", "--run-dir", cls.run_dir)
        cls.rows = table(f"{cls.run_dir}/evaluations.csv")

    def test_optuna_reads_the_study(self):
        run("edgeloop-report", self.run_dir, "--export", "optuna")
        study = optuna.load_study(study_name="looked", storage=storage(f"{self.run_dir}/optuna-journal.log"))
        self.assertEqual([direction.name for direction in study.directions], ["MINIMIZE", "MINIMIZE"])
        self.assertEqual(study.user_attrs["edgeloop:objectives"], list(self.rows[0])[2:4])
        self.assertEqual(len(study.trials), len(self.rows))
        genes = set(study.trials[0].params)
        self.assertGreater(len(genes), 3)
        statuses = set()
        for trial, row in zip(study.trials, self.rows):
            statuses.add(row["status"])
            self.assertEqual(str(int(trial.user_attrs["id"])), row["id"])
            if row["status"] == "completed":
                self.assertEqual(trial.state, optuna.trial.TrialState.COMPLETE)
                self.assertEqual(trial.values, [float(row[name]) for name in study.user_attrs["edgeloop:objectives"]])
            for gene, value in trial.params.items():
                same = float(row[gene]) == value if not isinstance(value, str) else row[gene] == value
                self.assertTrue(same, f"{gene} {value} {row[gene]}")
                self.assertTrue(trial.distributions[gene]._contains(trial.distributions[gene].to_internal_repr(value)))
        self.assertEqual(statuses, {"completed", "infeasible"})
        best = {str(int(trial.user_attrs["id"])) for trial in study.best_trials}
        self.assertEqual(best, {row["id"] for row in table(f"{self.run_dir}/pareto.csv")})

    def test_optuna_goes_on_with_it(self):
        file = f"{WORK}/goes-on.log"
        run("edgeloop-report", self.run_dir, "--export", "optuna", "--output", file)
        study = optuna.load_study(study_name="looked", storage=storage(file), sampler=optuna.samplers.TPESampler(seed=1))
        trial = study.ask(study.trials[0].distributions)
        study.tell(trial, [1.0, 1.0])
        self.assertEqual(len(study.trials), len(self.rows) + 1)

    def test_export_as_csv(self):
        run("edgeloop-report", self.run_dir, "--export", "csv", "-o", f"{WORK}/designs.csv")
        exported = table(f"{WORK}/designs.csv")
        self.assertEqual(len(exported), len(self.rows))
        parents = {event["id"]: event.get("parents", []) for event in events(self.run_dir) if event["event"] == "proposed"}
        self.assertTrue(any(parents.values()))
        front = {row["id"] for row in table(f"{self.run_dir}/pareto.csv")}
        for row, own in zip(exported, self.rows):
            for name, text in own.items():
                self.assertTrue(row[name] == text or float(row[name]) == float(text), name)
            self.assertEqual(row["on_front"], str(int(own["id"] in front)))
            self.assertEqual(row["parents"], " ".join(map(str, parents[int(own["id"])])))
            self.assertLessEqual(float(row["proposed_s"]), float(row["ended_s"]))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
