#!/usr/bin/env bash
# Adds the family `pooled` to a copy of the sources and builds it there: what a family of your own takes.
#   experiments/own/add.sh FOLDER [target...]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=${1:?usage: add.sh FOLDER [target...]}
shift
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
copy=$folder/source
rm -rf "$copy"
mkdir -p "$copy"
(cd "$root" && tar -c --exclude=./build --exclude=./runs --exclude=./.git .) | tar -x -C "$copy"

# 1 and 2: what it is, and its network.
cp "$here/pooled.hpp" "$copy/include/edgeloop/architecture/families/"
cp "$here/pooled.cpp" "$copy/src/architecture/families/"
cp "$here/pooled_network.cpp" "$copy/src/model/families/pooled.cpp"
# 3: that it exists.
families=$copy/include/edgeloop/architecture/families.hpp
sed -i 's|^#include "edgeloop/architecture/families/mbconv3d.hpp"|&\n#include "edgeloop/architecture/families/pooled.hpp"|
    s|^    Mbconv3d  .*|    Mbconv3d,\n    Pooled|' "$families"
grep -q '^    Pooled' "$families" || { echo "add.sh: the list of families is not where it was" >&2; exit 1; }

cmake -S "$copy" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DEDGELOOP_TESTS=OFF > "$folder/configure.log"
cmake --build "$folder/build" --parallel "${EDGELOOP_JOBS:-$(nproc)}" ${1:+--target} "$@"
