#!/usr/bin/env bash
# What cmake --install puts into a prefix works there, without the folder of the build in the way.
#   install.sh <build folder> <folder to work in>
set -euo pipefail
build=$1 work=$2
rm -rf "$work"
mkdir -p "$work/away"
prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" > "$work/install.log"
cd "$work/away"
export EDGELOOP_OVERSUBSCRIBE=allow OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
for program in search data model report edge bridge; do
    "$prefix/bin/edgeloop-$program" --version
    # shellcheck source=/dev/null
    (. "$prefix/share/bash-completion/completions/edgeloop-$program" && complete -p "edgeloop-$program" > /dev/null)
done
"$prefix/share/edgeloop/mpi_launch/run_local.sh" 2 run --problem zdt1 --population 10 --evaluations 20 > search.log 2>&1 || {
    cat search.log
    exit 1
}
# The commands that it suggests are those beside it.
grep -q "look at the run: *$prefix/bin/edgeloop-report run" search.log || { cat search.log; exit 1; }
"$prefix/bin/edgeloop-report" run
[ -s run/report.html ]
for file in share/doc/edgeloop/README.md share/doc/edgeloop/LICENSE share/doc/edgeloop/edge.ini share/edgeloop/mpi_launch/slurm.sbatch \
    lib/systemd/system/edgeloop-edge.service lib/systemd/system/edgeloop-bridge.service \
    include/edgeloop/inference/edgeloop_inference.h; do
    [ -s "$prefix/$file" ] || { echo "missing: $file"; exit 1; }
done
echo "installed: $(find "$prefix" -type f | wc -l) files work"
