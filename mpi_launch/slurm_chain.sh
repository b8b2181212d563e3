#!/usr/bin/env bash
# For clusters that do not requeue: a chain of jobs, each of which goes on where the one before
# stopped. When one finishes the search, the rest of the chain leaves the queue by itself.
#   mpi_launch/slurm_chain.sh LENGTH [sbatch options] -- SYSTEM RUN_DIR [options of edgeloop-search]
set -euo pipefail
[ "$#" -ge 4 ] || { sed -n '2,4p' "$0" >&2; exit 2; }
length=$1
shift
batch=()
while [ "$#" -gt 0 ] && [ "$1" != -- ]; do
    batch+=("$1")
    shift
done
[ "$#" -ge 3 ] || { echo "slurm_chain.sh: -- SYSTEM RUN_DIR is missing" >&2; exit 2; }
shift
script=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/slurm.sbatch
previous=
for ((link = 1; link <= length; ++link)); do
    after=()
    # Only a job that did not finish (exit 75 counts as a failure) lets the next one start.
    [ -z "$previous" ] || after=("--dependency=afternotok:$previous" --kill-on-invalid-dep=yes)
    previous=$(EDGELOOP_REQUEUE=no sbatch --parsable --no-requeue "${after[@]}" "${batch[@]}" \
        "$script" "$@")
    echo "$previous"
done
