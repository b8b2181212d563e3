#!/usr/bin/env bash
# A recording of more than 2 GB: generated, inspected and sharded with bounded memory; then sharding is
# killed in mid-way (kill -9) again and again and must end with the same bytes.
#   experiments/data/large_file.sh FOLDER [BIN_FOLDER]
set -euo pipefail
folder=${1:?usage: large_file.sh FOLDER [BIN_FOLDER]}
bin=${2:-build/release/bin}
limit_kib=$((400 * 1024))
mkdir -p "$folder"
for needed in /usr/bin/time sha256sum; do
    command -v "$needed" > /dev/null || { echo "needs $needed (apt-get install time coreutils)" >&2; exit 2; }
done

measured() { # runs a command and refuses a peak above the limit
    /usr/bin/time -f '%M %e' -o "$folder/usage" "$@" > "$folder/output"
    read -r peak_kib seconds < "$folder/usage"
    echo "$2: peak memory $((peak_kib / 1024)) MiB, $seconds s"
    [ "$peak_kib" -lt "$limit_kib" ] || { echo "more than $((limit_kib / 1024)) MiB" >&2; exit 1; }
}

shard=("$bin/edgeloop-data" shard --input "$folder/raise/C027.hdf5" --shards 16 --seed 1)
measured "$bin/edgeloop-data" synth --output "$folder/raise" --objects 1 --generator 1 --layers 4 --lines 2800 --size 72x88 --seed 7
echo "recording: $(stat -c %s "$folder/raise/C027.hdf5") bytes"
measured "$bin/edgeloop-data" inspect "$folder/raise/C027.hdf5"
cat "$folder/output"
measured "${shard[@]}" --output "$folder/whole"

rm -rf "$folder/killed"
for shards in 1 4 9 14; do
    "${shard[@]}" --output "$folder/killed" > /dev/null &
    process=$!
    while [ "$(find "$folder/killed" -name 'shard-*.h5' 2> /dev/null | wc -l)" -lt "$shards" ] &&
        kill -0 "$process" 2> /dev/null; do sleep 0.01; done
    kill -9 "$process" 2> /dev/null || true
    wait "$process" 2> /dev/null || true
    echo "killed with $(find "$folder/killed" -name 'shard-*.h5' | wc -l) of 16 shards written"
done
"${shard[@]}" --output "$folder/killed" > /dev/null
(cd "$folder/whole" && sha256sum ./*) > "$folder/whole.sha256"
(cd "$folder/killed" && sha256sum --quiet -c ../whole.sha256)
echo "killed and continued: same bytes as in one go"
