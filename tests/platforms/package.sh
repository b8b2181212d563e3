#!/usr/bin/env bash
# The Debian package of the edge side in a bare root: edge/package.sh makes it, apt installs it there, agent and bridge start
# as their services would, and after removing it keys and data are still there. Minutes; run by hand as root.
#   tests/platforms/package.sh [PACKAGE.deb]
# The root is made with debootstrap on the first run and kept (EDGELOOP_PLATFORMS, as for run.sh). Exit code 77: it cannot be had.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
platforms=${EDGELOOP_PLATFORMS:-${XDG_CACHE_HOME:-$HOME/.cache}/edgeloop/platforms}

fail() { echo "tests/platforms/package.sh: $*" >&2; exit 1; }
skip() { echo "tests/platforms/package.sh: skipped: $*" >&2; exit 77; }

# In the root: the package is /edgeloop-edge.deb.
inside() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || exit 77
    echo "== installing"
    apt-get install -y -qq --no-install-recommends /edgeloop-edge.deb > /install.log 2>&1 || { cat /install.log; exit 1; }
    ! dpkg-query -W -f='${Package}\n' | grep -i -E 'torch|openmpi|hdf5' || fail "it brought what the edge does not need"
    edgeloop-edge info > /info.json
    grep -q '"runtimes"' /info.json || fail "edgeloop-edge info: $(cat /info.json)"
    edgeloop-edge measure --runtime native --spec human --seconds 0.2 > /measured.txt || fail "it cannot measure"
    grep -q latency_ms /measured.txt || fail "no latency: $(cat /measured.txt)"

    echo "== the services in the foreground"
    cd /etc/edgeloop
    edgeloop-bridge keygen bridge.key > /dev/null
    edgeloop-bridge keygen device.key > /dev/null
    edgeloop-bridge keygen user.key > /dev/null
    cp device.key.pub allowed/devices/
    cp user.key.pub allowed/searches/
    chown edgeloop: ./*.key
    chmod -R g+rX allowed && chgrp -R edgeloop allowed
    sed -i 's/bridge.example.org/127.0.0.1/' edge.ini
    install -d -m 0700 -o edgeloop -g edgeloop /var/lib/edgeloop-bridge  # as StateDirectory= does
    local unit start pids=()
    for unit in edgeloop-bridge edgeloop-edge; do
        start=$(sed -n 's/^ExecStart=//p' "/usr/lib/systemd/system/$unit.service")
        # shellcheck disable=SC2086 # a command line
        setpriv --reuid edgeloop --regid edgeloop --init-groups $start > "/$unit.log" 2>&1 &
        pids+=($!)
    done
    # shellcheck disable=SC2016 # for the inner shell
    timeout 60 bash -c 'until edgeloop-bridge status --json --connect tcp://127.0.0.1:5701 --keys user.key --server-key bridge.key.pub |
        grep -q "\"class\""; do sleep 0.2; done' || fail "no device came: $(cat /edgeloop-bridge.log /edgeloop-edge.log)"
    edgeloop-bridge submit --connect tcp://127.0.0.1:5701 --keys user.key --server-key bridge.key.pub --spec human --seconds 0.2 \
        --runtime native --device "$(sed -n 's/.*"class": *"\([^"]*\)".*/\1/p' /info.json | head -n 1)" --wait > /submitted.txt ||
        fail "it was not measured: $(cat /submitted.txt /edgeloop-edge.log)"
    kill "${pids[@]}"
    wait "${pids[@]}" || true

    echo "== again, and away"
    echo '# mine' >> edge.ini
    dpkg -i /edgeloop-edge.deb > /dev/null
    grep -q '^# mine' edge.ini || fail "settings were overwritten"
    dpkg -r edgeloop-edge > /dev/null
    ! command -v edgeloop-edge > /dev/null || fail "programs are still there"
    dpkg -P edgeloop-edge > /dev/null 2>&1
    for file in bridge.key device.key allowed/devices/device.key.pub; do
        [ -s "$file" ] || fail "$file is gone"
    done
    [ -n "$(find /var/lib/edgeloop-bridge -name '*.db')" ] || fail "the bridge's store is gone"
    echo "== the package works, and leaves keys and data"
}

if [ "${1:-}" = --inside ]; then
    inside
    exit 0
fi
if [ "${1:-}" = --inside-namespaces ]; then
    root=$2
    mount --make-rprivate /
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/dev/shm"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    exec env -i HOME=/root LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} chroot "$root" /bin/bash /package.sh --inside
fi

package=${1:-}
[ "$(id -u)" -eq 0 ] || skip "it needs root"
command -v debootstrap > /dev/null || skip "debootstrap is missing"
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ -n "$package" ] || package=$("$checkout/edge/package.sh" | tail -n 1)

echo "== the package"
dpkg-deb -I "$package"
depends=$(dpkg-deb -f "$package" Depends)
for library in libzmq5 libsqlite3-0 adduser; do
    [[ $depends == *"$library"* ]] || fail "it does not depend on $library: $depends"
done
! grep -qiE 'torch|mpi|hdf5' <<< "$depends" || fail "it depends on what the edge does not need: $depends"
contents=$(dpkg-deb -c "$package")
for file in usr/bin/edgeloop-edge usr/bin/edgeloop-bridge usr/lib/systemd/system/edgeloop-edge.service etc/edgeloop/edge.ini \
    usr/share/bash-completion/completions/edgeloop-edge; do
    grep -q " \./$file\$" <<< "$contents" || fail "it lacks $file"
done
[ "$(dpkg-deb --fsys-tarfile "$package" | tar -xO ./usr/lib/systemd/system/edgeloop-edge.service | grep -c '^ExecStart=/usr/bin/')" -eq 1 ] ||
    fail "its service names programs elsewhere"

# A root for each run from a kept one: what the package leaves behind is looked at, and must not be there before.
bare=$platforms/bare-$suite root=$platforms/package-$suite
if [ ! -e "$bare/etc/edgeloop-root-is-complete" ]; then
    echo "== making a bare root in $bare"
    rm -rf --one-file-system "$bare"
    mkdir -p "$bare"
    debootstrap --variant=minbase "$suite" "$bare" http://deb.debian.org/debian > "$bare.log" 2>&1 || skip "debootstrap failed: $bare.log"
    echo force-unsafe-io > "$bare/etc/dpkg/dpkg.cfg.d/unsafe-io"
    touch "$bare/etc/edgeloop-root-is-complete"
fi
rm -rf --one-file-system "$root"
cp -a "$bare" "$root"
cp "$package" "$root/edgeloop-edge.deb"
cp "${BASH_SOURCE[0]}" "$root/package.sh"
unshare --mount --pid --fork --kill-child "$0" --inside-namespaces "$root"
