#!/usr/bin/env bash
# Builds edgeloop and runs its tests on another release of Debian, in a root of its own.
#   tests/platforms/run.sh debian12|debian13 [ctest arguments]
# As root on Debian or Ubuntu. Arguments go to ctest, e.g. -L unit; without any, both commands of the
# README run: the quickstart and every test.
#
# The root is made with debootstrap on the first run and kept, as are its build folder and its compiler
# cache, below EDGELOOP_PLATFORMS (default: ~/.cache/edgeloop/platforms). The checkout is read-only in
# there. EDGELOOP_PLATFORM_MINUTES ends the build or the tests after so long; what was not reached is
# said, and is no failure. Exit code 77: the root or its packages could not be had.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
platforms=${EDGELOOP_PLATFORMS:-${XDG_CACHE_HOME:-$HOME/.cache}/edgeloop/platforms}
complete=etc/edgeloop-root-is-complete

fail() {
    echo "tests/platforms/run.sh: $2" >&2
    exit "$1"
}

make_root() {
    echo "== $system: making a root in $root"
    if ! command -v debootstrap > /dev/null; then
        command -v apt-get > /dev/null || fail 77 "debootstrap is missing: install it"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap > /dev/null ||
            fail 77 "debootstrap cannot be installed"
    fi
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase "$suite" "$root" http://deb.debian.org/debian > "$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        fail 77 "debootstrap failed; all it said is in $root.log"
    }
    # A root that can be made again needs no syncing of every file.
    echo force-unsafe-io > "$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
    touch "$root/$complete"
}

# In namespaces of its own: mounts and processes end with this script, however it ends.
inside_namespaces() {
    local root=$1 cache=$2
    shift 2
    mount --make-rprivate /
    find "$root/tmp" -mindepth 1 -delete
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/dev/shm"
    # Of another checkout, objects can be younger than the sources that they were not made from.
    if [ "$(cat "$root/kept/checkout" 2> /dev/null)" != "$checkout" ]; then
        rm -rf "$root/kept/build"
    fi
    mkdir -p "$root/edgeloop" "$root/kept/build" "$root/kept/runs" "$root/var/cache/ccache"
    echo "$checkout" > "$root/kept/checkout"
    mount --bind "$checkout" "$root/edgeloop"
    mount -o remount,bind,ro "$root/edgeloop"
    mount --bind "$root/kept/build" "$root/edgeloop/build"
    mount --bind "$root/kept/runs" "$root/edgeloop/runs"
    mount --bind "$cache" "$root/var/cache/ccache"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    local name passed=()
    for name in CI TERM http_proxy https_proxy no_proxy EDGELOOP_PLATFORM_MINUTES started_at; do
        [ -z "${!name:-}" ] || passed+=("$name=${!name}")
    done
    exec env -i "${passed[@]}" HOME=/root LC_ALL=C.UTF-8 CCACHE_DIR=/var/cache/ccache \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        chroot "$root" /edgeloop/tests/platforms/inside.sh "$@"
}

if [ "${1:-}" = --inside-namespaces ]; then
    shift
    inside_namespaces "$@"
fi

system=${1:-}
case "$system" in
    debian12) suite=bookworm ;;
    debian13) suite=trixie ;;
    *)
        sed -n '2,11s/^# \?//p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
esac
shift
[ "$(id -u)" -eq 0 ] || fail 77 "making a root needs root: run it with sudo"

export started_at=$EPOCHSECONDS
root=$platforms/$system
cache=$platforms/$system-ccache
mkdir -p "$cache" "$checkout/build" "$checkout/runs"
exec 9> "$platforms/$system.lock"
flock --nonblock 9 || fail 77 "another run uses $root: wait for it, or set EDGELOOP_PLATFORMS to another folder"
[ -e "$root/$complete" ] || make_root

unshare --mount --pid --ipc --fork --kill-child "${BASH_SOURCE[0]}" --inside-namespaces "$root" "$cache" "$@" 9>&- &
child=$!
trap 'kill -KILL "$child" 2> /dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
code=0
wait "$child" || code=$?
trap - EXIT
exit "$code"
