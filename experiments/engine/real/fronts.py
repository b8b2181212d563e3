#!/usr/bin/env python3
"""What fronts said and what fresh trainings say: of each OUT/seed-N.json of fronts.sh, a row a member.

usage: fronts.py OUT    (the folder of fronts.sh)

"Off" is the difference of the run's mean and the fresh one in the run's standard errors.
"""
import json
import pathlib
import statistics
import sys


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n\n")[1])
    runs = {path.stem.rsplit("-", 1)[1]: json.loads(path.read_text())["judged"]
            for path in sorted(pathlib.Path(sys.argv[1]).glob("seed-*.json"))}
    if not runs:
        sys.exit(f"{sys.argv[1]} holds no judged run: run fronts.sh")
    print("| seed | id | said ± its standard error | fresh mean of 10 ± sd of one | off | best without a network |")
    print("| --- | --- | --- | --- | --- | --- |")
    for seed, members in runs.items():
        for one in members:
            print(f"| {seed} | {one['id']} | {one['said']:.3f} ± {one['val_rmse_se']:.3f} | {one['mean']:.3f} ± "
                  f"{one['deviation']:.3f} | {one['off_by_se']:+.1f} | {one['baseline_rmse']:.3f} |")
    members = [one for run in runs.values() for one in run]
    print(f"\n{sum(abs(one['off_by_se']) <= 2 for one in members)} of {len(members)} members lie within two standard errors; "
          f"{sum(one['said'] < one['baseline_rmse'] for one in members)} beat the best reader without a network by what the run says, "
          f"{sum(one['mean'] < one['baseline_rmse'] for one in members)} in truth; means are off by "
          f"{statistics.mean(one['said'] - one['mean'] for one in members):+.4f} on average.")


if __name__ == "__main__":
    main()
