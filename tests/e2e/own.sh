#!/usr/bin/env bash
# The commands of experiments/own/README.md, from arrays to a search, as they are written. Skipped (77), and says so, where
# NumPy and h5py cannot be installed.
#   own.sh <folder of the programs> <folder to work in>
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$1 work=$2
python() { "$root/tests/python_environment.sh" own 'numpy==1.26.4 h5py==3.12.1' "$@"; }
rm -rf "$work"
mkdir -p "$work/arrays"
cd "$work"
python - << 'END'
import numpy
rng = numpy.random.default_rng(1)
for layer in range(6):
    frames, lines, labels = [], [], []
    for line in range(12):
        speed, power = rng.uniform(400, 1200), rng.uniform(120, 300)
        labels.append([speed, power])
        for step in range(48):  # a spot that moves and glows as its line says
            y, x = numpy.mgrid[:64, :64]
            glow = power * numpy.exp(-((x - 20 - step * speed / 2e3) ** 2 + (y - 32) ** 2) / 60)
            frames.append(glow + rng.normal(0, 3, (64, 64)))
            lines.append(line)
    for name, values in (("frames", frames), ("lines", lines), ("labels", labels)):
        numpy.save(f"arrays/layer{layer:04d}-{name}.npy", numpy.array(values))
END
ln -s "$root/experiments" experiments
mapfile -t commands < <(awk '/^```sh$/{inside = 1; next} /^```$/{inside = 0} inside' "$root/experiments/own/README.md")
[ "${#commands[@]}" -eq 4 ] || { echo "the page has ${#commands[@]} commands"; exit 1; }
export PATH=$bin:$PATH EDGELOOP_OVERSUBSCRIBE=allow
for command in "${commands[@]}"; do
    echo "== $command"
    case "$command" in
        "python3 "*)
            read -ra words <<< "${command#python3 }"
            python "${words[@]}"
            ;;
        "edgeloop-"*) eval "$command" ;;
        *) echo "what is this?"; exit 1 ;;
    esac
done
[ "$(($(wc -l < runs/own/evaluations.csv) - 1))" -eq 8 ]
grep -q ',completed,' runs/own/evaluations.csv
