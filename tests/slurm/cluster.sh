# shellcheck shell=bash
# Sourced by tests: a private SLURM cluster of one node on this machine, for root on a Debian with
# slurmctld, slurmd, slurm-client and munge. Everything lives below $slurm_dir.

slurm_dir=
slurm_daemons=()

start_cluster() {
    slurm_dir=$1
    mkdir -p "$slurm_dir"/{state,spool,munge}
    export SLURM_CONF=$slurm_dir/slurm.conf
    head -c 1024 /dev/urandom > "$slurm_dir/munge/key"
    chmod 700 "$slurm_dir/munge"
    chmod 600 "$slurm_dir/munge/key"
    chmod 755 "$slurm_dir"
    munged --force --foreground --key-file="$slurm_dir/munge/key" --socket="$slurm_dir/munge.socket" \
        --pid-file="$slurm_dir/munge/pid" --log-file="$slurm_dir/munge/log" \
        --seed-file="$slurm_dir/munge/seed" &
    slurm_daemons+=($!)
    write_slurm_conf > "$SLURM_CONF"
    until [ -S "$slurm_dir/munge.socket" ]; do sleep 0.1; done
    slurmctld -D -i &> "$slurm_dir/slurmctld.log" &
    slurm_daemons+=($!)
    slurmd -D -N "$(hostname -s)" &> "$slurm_dir/slurmd.log" &
    slurm_daemons+=($!)
    wait_until 60 node_is_idle
}

write_slurm_conf() {
    local host
    host=$(hostname -s)
    cat << CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$slurm_dir/munge.socket
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$slurm_dir/state
SlurmdSpoolDir=$slurm_dir/spool
SlurmctldPidFile=$slurm_dir/slurmctld.pid
SlurmdPidFile=$slurm_dir/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=5,bf_interval=5
MinJobAge=300
SlurmdParameters=config_overrides
KillWait=5
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
}

# Ends every job, then the daemons.
stop_cluster() {
    local pid
    [ "${#slurm_daemons[@]}" -gt 0 ] || return 0
    scancel --user=root 2> /dev/null || true
    wait_until 40 no_job_left || true
    for pid in "${slurm_daemons[@]}"; do kill "$pid" 2> /dev/null || true; done
    wait "${slurm_daemons[@]}" 2> /dev/null || true
    slurm_daemons=()
}

node_is_idle() { [ "$(sinfo -h -o %T 2> /dev/null)" = idle ]; }

# wait_until SECONDS COMMAND...: polls until the command succeeds.
wait_until() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || { echo "gave up waiting for: $*" >&2; return 1; }
        sleep 0.5
    done
}

no_job_left() { [ -z "$(squeue -h 2> /dev/null)" ]; }

# State of a job as SLURM tells it, e.g. RUNNING; empty when it has forgotten it.
job_field() { scontrol -o show job "$1" 2> /dev/null | grep -o " $2=[^ ]*" | cut -d= -f2; }
job_is() { [ "$(job_field "$1" JobState)" = "$2" ]; }
job_has_ended() { [[ "$(job_field "$1" JobState)" =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|)$ ]]; }
job_restarted() { [ "$(job_field "$1" Restarts)" -ge "$2" ]; }
