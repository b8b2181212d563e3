# shellcheck shell=bash
# JUWELS Booster (Jülich): 48 cores in 8 NUMA domains and 4 A100 GPUs a node. Not run there yet:
# written from the site's documentation.

load_modules() {
    module --force purge
    module load Stages/2024 GCC OpenMPI CMake HDF5 Boost
}

# Four ranks a node, one for each GPU, each bound to the NUMA domain its GPU hangs on (3, 1, 7, 5).
# Rank 0 coordinates and shares the first domain.
run_with_mpi() {
    local ranks=$1
    shift
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-6}
    export HDF5_USE_FILE_LOCKING=FALSE
    exec srun --kill-on-bad-exit=1 --ntasks="$ranks" --cpus-per-task="$OMP_NUM_THREADS" \
        --gres=gpu:4 --cpu-bind=map_ldom:3,1,7,5 --mpi=pspmix "$@"
}
