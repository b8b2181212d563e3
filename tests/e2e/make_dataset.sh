#!/usr/bin/env bash
# make_dataset.sh BIN OUT: the small dataset of the end-to-end tests; kept while it is younger than the program.
set -euo pipefail
bin=$1
out=$2
[ ! "$out/shards/catalogue.json" -nt "$bin/edgeloop-data" ] || exit 0
rm -rf "$out"
"$bin/edgeloop-data" synth --output "$out/raise" --objects 1 --layers 4 --lines 12 --seed 5
"$bin/edgeloop-data" shard --input "$out"/raise/*.hdf5 --output "$out/shards" --shards 2 --split layer --seed 5
