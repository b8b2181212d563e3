# shellcheck shell=bash
# DEEP (Jülich), Extreme Scale Booster: 8 cores and one V100 GPU a node. Not run there yet: written
# from the site's documentation.

load_modules() {
    module --force purge
    module load Stages/2024 GCC OpenMPI CMake HDF5 Boost
}

# One rank a node with all its cores.
run_with_mpi() {
    local ranks=$1
    shift
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-8}
    export HDF5_USE_FILE_LOCKING=FALSE
    exec srun --kill-on-bad-exit=1 --ntasks="$ranks" --ntasks-per-node=1 \
        --cpus-per-task="$OMP_NUM_THREADS" --gres=gpu:1 --mpi=pspmix "$@"
}
