#!/usr/bin/env bash
# Every shell script passes shellcheck.
set -euo pipefail
cd "$(dirname "$0")/../.."
mapfile -t scripts < <(find .ci mpi_launch edge experiments tests -type f \( -name '*.sh' -o -name '*.sbatch' -o -path .ci/run \) | sort)
[ "${#scripts[@]}" -gt 0 ] || { echo "no shell script found: the search is wrong"; exit 1; }
shellcheck --shell=bash --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
echo "${#scripts[@]} scripts pass"
