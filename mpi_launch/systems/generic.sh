# shellcheck shell=bash
# Any cluster with an mpirun of Open MPI 4 or 5 on the path. Copy this file for a machine of your own.
#
# A system file defines two functions:
#   load_modules                     what must be loaded before building and running
#   run_with_mpi RANKS PROGRAM ...   starts PROGRAM on RANKS ranks; passes SIGUSR1 on to them

load_modules() { :; }

run_with_mpi() {
    local ranks=$1
    shift
    # shellcheck source=mpi_launch/environment.sh
    . "$EDGELOOP_ROOT/mpi_launch/environment.sh"
    exec mpirun "${mpirun_flags[@]}" -n "$ranks" "$@"
}
