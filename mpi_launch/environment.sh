# shellcheck shell=bash
# Sourced by the launch scripts: sets `mpirun_flags` and the thread settings every rank needs, and
# defines `run_until_stopped`.

# One thread a rank: ranks are the parallelism, and more threads than cores slow all of them down.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-$OMP_NUM_THREADS}
# Parallel file systems often refuse HDF5's locks.
export HDF5_USE_FILE_LOCKING=${HDF5_USE_FILE_LOCKING:-FALSE}

mpirun_flags=(--bind-to none)
# What mpirun says about an exit code other than 0 would hide what the search says. Open MPI 5 has no
# such option.
case "$(mpirun --version 2> /dev/null | head -n 1)" in
    *"Open MPI) 4."*) mpirun_flags+=(--quiet) ;;
esac
[ "$(id -u)" -ne 0 ] || mpirun_flags+=(--allow-run-as-root)
# Trying things out on a small machine, ranks may share cores, with a warning. In a batch job they
# may not: that is a mistake in the request.
if [ -z "${SLURM_JOB_ID:-}" ]; then
    export EDGELOOP_OVERSUBSCRIBE=${EDGELOOP_OVERSUBSCRIBE:-allow}
    # The spelling that Open MPI 4 and 5 share.
    mpirun_flags+=(--map-by :OVERSUBSCRIBE)
fi

# run_until_stopped COMMAND...: runs a command that starts mpirun. Ctrl-C, SIGTERM or SIGUSR1 ends the
# search with a checkpoint and exit code 75; a second Ctrl-C ends it at once.
# mpirun would kill its ranks on Ctrl-C. So it runs in a process group of its own, which the
# terminal's signal does not reach, and is sent SIGUSR1, which it passes on to the ranks.
run_until_stopped() {
    local job code=0 last interrupted asked=no
    set -m
    "$@" < /dev/null &
    job=$!
    set +m
    trap 'interrupted=yes; stop_job "$job"' INT TERM USR1
    while :; do
        last=$code
        interrupted=no
        code=0
        wait "$job" || code=$?
        if [ "$code" -eq 127 ]; then  # the wait before told its end, while a signal came
            code=$last
            break
        fi
        [ "$interrupted" = yes ] || break
    done
    trap - INT TERM USR1
    case $code in
        0 | 2 | 3 | 4 | 75) ;;
        *) echo "edgeloop: mpirun ended with exit code $code: a rank died or was killed" >&2 ;;
    esac
    return "$code"
}

# Of run_until_stopped.
stop_job() {
    if [ "$asked" = no ]; then
        asked=yes
        echo "asked to stop: saving" >&2
        kill -USR1 "$1" 2> /dev/null || true
    else
        kill -TERM "$1" 2> /dev/null || true
    fi
}
