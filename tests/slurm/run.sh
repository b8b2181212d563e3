#!/usr/bin/env bash
# The launch scripts against a real SLURM of one node on this machine: a time limit too short for the
# search, the same as a chain of jobs, and scancel. Each ends with the front of an uninterrupted run.
# Takes 5 to 15 minutes. Needs root, a release build, and on Debian:
#   apt-get install slurmctld slurmd slurm-client munge
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
# shellcheck source=tests/slurm/cluster.sh
. tests/slurm/cluster.sh
for program in slurmctld slurmd sbatch munged; do
    command -v "$program" > /dev/null || { sed -n '2,6p' "$0" >&2; exit 2; }
done
bin=build/release/bin
work=$(mktemp -d)
finish() {
    code=$?
    [ "$code" -eq 0 ] || tail -n 25 "$work"/*.out "$work"/slurm/*.log >&2 || true
    stop_cluster
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

echo "== dataset and the uninterrupted run"
"$bin/edgeloop-data" synth --output "$work/raise" --objects 1 --layers 8 --lines 60 --seed 1
"$bin/edgeloop-data" shard --input "$work"/raise/*.hdf5 --output "$work/shards" --shards 2 --seed 1
# About a minute of training for two ranks: SLURM counts limits in minutes and may give the warning
# half a minute early.
options=(--data "$work/shards" --space tests/data/tiny_space.json --population 10
    --evaluations "${EVALUATIONS:-60}" --epochs "${EPOCHS:-25}" --seed 3 --edge model)
mpi_launch/run_local.sh 3 "$work/whole" "${options[@]}" > "$work/whole.out" 2>&1

check_front() {
    cmp "$work/whole/pareto.csv" "$work/$1/pareto.csv" && echo "   $1: the same front"
}
lift_limit() { scontrol update "JobId=$1" TimeLimit=60 StartTime=now; }
submit() { sbatch --parsable --ntasks=3 --chdir="$root" --output="$work/%j.out" "$@"; }
has_results() { [ -f "$work/$1/journal.jsonl" ] && [ "$(wc -l < "$work/$1/journal.jsonl")" -gt "$2" ]; }

echo "== private cluster"
start_cluster "$work/slurm" &> "$work/daemons.log"

echo "== a limit of one minute: checkpoint, exit 75, requeue, resume, finish"
job=$(submit --time=1 --signal=B:USR1@20 mpi_launch/slurm.sbatch generic "$work/requeued" \
    "${options[@]}")
wait_until 180 job_restarted "$job" 1
grep -q "stopped with a checkpoint: back into the queue" "$work/$job.out"
lift_limit "$job"
wait_until 900 job_is "$job" COMPLETED
grep -q "resuming $work/requeued" "$work/$job.out"
check_front requeued

echo "== the same as a chain of jobs"
mapfile -t chain < <(mpi_launch/slurm_chain.sh 3 --ntasks=3 --chdir="$root" \
    --output="$work/%j.out" --time=1 --signal=B:USR1@20 -- generic "$work/chained" "${options[@]}")
lift_limit "${chain[1]}"
wait_until 180 job_is "${chain[0]}" FAILED
[ "$(job_field "${chain[0]}" ExitCode)" = 75:0 ]
wait_until 900 job_is "${chain[1]}" COMPLETED
wait_until 120 job_has_ended "${chain[2]}"
[ ! -e "$work/${chain[2]}.out" ]
check_front chained

echo "== scancel, then submitted again"
job=$(submit --time=60 mpi_launch/slurm.sbatch generic "$work/cancelled" "${options[@]}")
wait_until 180 has_results cancelled 40
scancel "$job"
wait_until 60 job_is "$job" CANCELLED
job=$(submit --time=60 mpi_launch/slurm.sbatch generic "$work/cancelled" "${options[@]}")
wait_until 900 job_is "$job" COMPLETED
grep -q "resuming $work/cancelled" "$work/$job.out"
check_front cancelled
echo "all passed"
