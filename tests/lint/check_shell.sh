#!/usr/bin/env bash
# Every shell script passes shellcheck, and no srun leaves the other ranks waiting when one has died.
set -euo pipefail
cd "$(dirname "$0")/../.."
mapfile -t scripts < <(find .ci mpi_launch edge experiments src tests -type f \( -name '*.sh' -o -name '*.bash' -o -name '*.sbatch' -o -path .ci/run \) | sort)
[ "${#scripts[@]}" -gt 0 ] || { echo "no shell script found: the search is wrong"; exit 1; }
shellcheck --shell=bash --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
if grep -n '^ *\(exec \)\?srun ' "${scripts[@]}" | grep -v -e --kill-on-bad-exit; then
    echo "srun without --kill-on-bad-exit"
    exit 1
fi
echo "${#scripts[@]} scripts pass"
