#!/usr/bin/env bash
# A stream of synthetic frames at 20 kHz through edgeloop-edge run: no frame lost, memory constant, latencies.
#   experiments/edge/stream.sh MODEL OUT [FRAMES]      default: 72 million, an hour; short form: 2000000
# MODEL is a native file (edgeloop-model export --format native). OUT/figures.json is the result. EDGE names the folder of
# edgeloop-edge, STRIDE the frames from window to window (default 8), CORE the core of the network; what makes frames runs on another.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
model=$(realpath "${1:?usage: stream.sh MODEL OUT [FRAMES]}")
out=${2:?usage: stream.sh MODEL OUT [FRAMES]}
frames=${3:-72000000}
edge=${EDGE:-build/edge/bin}
stride=${STRIDE:-8}
core=${CORE:-$(($(nproc) - 1))}
mkdir -p "$out"

# 20 000 frames of a spot that flickers, over and over.
python3 - "$out/second.raw" <<'PYTHON'
import math, random, sys
random.seed(1)
spots = []
for width in range(20, 60):
    spots.append(bytes(min(255, int(10 + 220 * math.exp(-((y - 20) ** 2 + (x - 20) ** 2) / (2 * (width / 10) ** 2))))
                       for y in range(41) for x in range(41)))
with open(sys.argv[1], "wb") as file:
    file.writelines(random.choices(spots, k=20000))
PYTHON

frame_bytes=$((41 * 41))
seconds=$(((frames + 19999) / 20000))
{ for _ in $(seq "$seconds"); do cat "$out/second.raw"; done | head -c $((frames * frame_bytes)); } |
    "$edge/edgeloop-edge" run --model "$model" --frames - --size 41x41 --rate 20000 --stride "$stride" --cores "$core" \
        --format binary --output /dev/null --figures "$out/figures.json"
python3 - "$out/figures.json" "$frames" <<'PYTHON'
import json, sys
figures = json.load(open(sys.argv[1]))
lost = int(sys.argv[2]) - figures["frames"]
growth = figures["resident_kib"]["last"] - figures["resident_kib"]["first"]
print(f"frames lost: {lost}; growth of resident memory: {growth} KiB")
sys.exit(lost != 0)
PYTHON
