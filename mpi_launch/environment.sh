# shellcheck shell=bash
# Sourced by the launch scripts: sets `mpirun_flags` and the thread settings every rank needs.

# One thread a rank: ranks are the parallelism, and more threads than cores slow all of them down.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-$OMP_NUM_THREADS}
# Parallel file systems often refuse HDF5's locks.
export HDF5_USE_FILE_LOCKING=${HDF5_USE_FILE_LOCKING:-FALSE}

mpirun_flags=(--bind-to none)
[ "$(id -u)" -ne 0 ] || mpirun_flags+=(--allow-run-as-root)
# Trying things out on a small machine, ranks may share cores, with a warning. In a batch job they
# may not: that is a mistake in the request.
if [ -z "${SLURM_JOB_ID:-}" ]; then
    export EDGELOOP_OVERSUBSCRIBE=${EDGELOOP_OVERSUBSCRIBE:-allow}
    # The spelling that Open MPI 4 and 5 share.
    mpirun_flags+=(--map-by :OVERSUBSCRIBE)
fi
