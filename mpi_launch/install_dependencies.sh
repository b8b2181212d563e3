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

if [ "${#missing[@]}" -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo > /dev/null; then
            echo "edgeloop: these packages are missing and installing needs root; ask for: apt-get install ${missing[*]}" >&2
            exit 3
        fi
        as_root=(sudo)
    fi
    echo "edgeloop: installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
fi

# LibTorch links to whatever libblas.so.3 the alternatives point at.
blas=$(ldconfig -p | awk '/libblas\.so\.3 / && !found {print $NF; found = 1}')
if [ -n "$blas" ] && ! readlink -f "$blas" | grep -qiE 'openblas|mkl|blis'; then
    echo "edgeloop: warning: LibTorch would run on the reference BLAS ($(readlink -f "$blas")), about 15 times slower;" \
        "run: update-alternatives --config libblas.so.3-$(uname -m)-linux-gnu" >&2
fi
