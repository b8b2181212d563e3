#!/usr/bin/env bash
# Installs what edgeloop builds with, from third_party/debian-packages.txt. Does nothing when all is
# there; elsewhere than on Debian or Ubuntu it says what to install.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

mapfile -t packages < <(grep -vE '^[[:space:]]*(#|$)' "$root/third_party/debian-packages.txt")

if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null; then
    if command -v cmake > /dev/null && command -v mpicc > /dev/null && command -v ninja > /dev/null; then
        exit 0  # another system with its own packages or modules: CMake names what is missing
    fi
    echo "edgeloop: this is not Debian or Ubuntu. Install the counterparts of these packages, then run again:" >&2
    printf '  %s\n' "${packages[@]}" >&2
    exit 3
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done

# Whether the system has the package, and a LibTorch that is new enough. Ubuntu 22.04 has LibTorch 1.8
# and keeps zmq.hpp in libzmq3-dev; 24.04 has no LibTorch.
is_offered() {
    local candidate
    candidate=$(apt-cache policy "$1" 2> /dev/null | awk '/Candidate:/ {print $2}')
    [ -n "$candidate" ] && [ "$candidate" != "(none)" ] || return 1
    [ "$1" != libtorch-dev ] || dpkg --compare-versions "$candidate" ge 1.13
}

choose_wanted() {
    wanted=()
    local package
    for package in "${missing[@]}"; do
        ! is_offered "$package" || wanted+=("$package")
    done
}

if [ "${#missing[@]}" -gt 0 ]; then
    choose_wanted
    if [ "${#wanted[@]}" -gt 0 ] || ! is_offered build-essential; then  # or nothing was ever listed
        as_root=()
        if [ "$(id -u)" -ne 0 ]; then
            if ! command -v sudo > /dev/null; then
                echo "edgeloop: these packages are missing and installing needs root; ask for: apt-get install ${wanted[*]:-${missing[*]}}" >&2
                exit 3
            fi
            as_root=(sudo)
        fi
        "${as_root[@]}" apt-get update -qq
        choose_wanted
        echo "edgeloop: installing ${wanted[*]}"
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" > /dev/null
    fi
    if [[ " ${missing[*]} " == *" libtorch-dev "* && " ${wanted[*]} " != *" libtorch-dev "* &&
        -z "${CMAKE_PREFIX_PATH:-}${Torch_DIR:-}" ]]; then
        echo "edgeloop: this system has no package of LibTorch 1.13 or later;" \
            "mpi_launch/README.md says how to build with PyTorch's" >&2
    fi
fi

# LibTorch links to whatever libblas.so.3 the alternatives point at.
blas=$(ldconfig -p | awk '/libblas\.so\.3 / && !found {print $NF; found = 1}')
if [ -n "$blas" ] && ! readlink -f "$blas" | grep -qiE 'openblas|mkl|blis'; then
    echo "edgeloop: warning: LibTorch would run on the reference BLAS ($(readlink -f "$blas")), about 15 times slower;" \
        "run: update-alternatives --config libblas.so.3-$(uname -m)-linux-gnu" >&2
fi
