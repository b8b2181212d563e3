#!/usr/bin/env bash
# Makes a Debian package of the edge side: agent, bridge, their services, completion for bash and the C interface of
# src/inference. No LibTorch: the agent has the runtime native.
#   edge/package.sh [FOLDER]     default: build/edge-package, where the build and the package land
# On the release of Debian that the device runs; needs dpkg-dev (build-essential brings it) and the libraries that
# third_party/debian-packages.txt lists for the edge.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$source/build/edge-package}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

cmake -S "$source" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr \
    -DEDGELOOP_EDGE_ONLY=ON -DEDGELOOP_TORCH=OFF -DEDGELOOP_TESTS=OFF > "$folder/configure.log" || {
    cat "$folder/configure.log" >&2
    exit 3
}
cmake --build "$folder" --parallel "${EDGELOOP_JOBS:-$(nproc)}"
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$folder/CMakeCache.txt")
architecture=$(dpkg --print-architecture)

stage=$folder/root
rm -rf "$stage"
DESTDIR=$stage cmake --install "$folder" --strip > "$folder/install.log"
install -d -m 0755 "$stage/DEBIAN" "$stage/etc/edgeloop" "$stage/usr/share/doc/edgeloop-edge"
install -m 0644 "$source/edge/systemd/edge.ini" "$source/edge/systemd/bridge.ini" "$stage/etc/edgeloop/"
install -m 0644 "$source/LICENSE" "$stage/usr/share/doc/edgeloop-edge/copyright"

# What the programs link to, as packages.
mkdir -p "$folder/shlibs/debian"
printf 'Source: edgeloop-edge\n\nPackage: edgeloop-edge\nArchitecture: any\n' > "$folder/shlibs/debian/control"
depends=$(cd "$folder/shlibs" && dpkg-shlibdeps -O -e"$stage/usr/bin/edgeloop-edge" -e"$stage/usr/bin/edgeloop-bridge" \
    2> "$folder/shlibs.log" | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { cat "$folder/shlibs.log" >&2; exit 3; }

cat > "$stage/DEBIAN/control" <<END
Package: edgeloop-edge
Version: $version
Architecture: $architecture
Maintainer: edgeloop developers <edgeloop@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$stage" | cut -f1)
Depends: $depends, adduser
Section: science
Priority: optional
Description: measures neural networks on edge devices for edgeloop
 The agent that takes networks from a search or a bridge and measures their
 latency on this machine, and the bridge at which searches and devices meet.
 Networks run in a sandbox, on a runtime that needs no LibTorch.
END
printf '/etc/edgeloop/edge.ini\n/etc/edgeloop/bridge.ini\n' > "$stage/DEBIAN/conffiles"
cat > "$stage/DEBIAN/postinst" <<'END'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    if ! getent passwd edgeloop > /dev/null; then
        adduser --system --group --home /var/lib/edgeloop --quiet edgeloop
    fi
    for folder in /etc/edgeloop/allowed /etc/edgeloop/allowed/devices /etc/edgeloop/allowed/searches /etc/edgeloop/allowed/operators; do
        [ -d "$folder" ] || install -d -m 0750 -o root -g edgeloop "$folder"
    done
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload || true
        # Those that run go on with the new programs; nothing is started that did not run.
        systemctl try-restart edgeloop-edge edgeloop-bridge || true
    fi
fi
END
cat > "$stage/DEBIAN/prerm" <<'END'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --now edgeloop-edge edgeloop-bridge || true
fi
END
# Keys, the user and the bridge's store are somebody's: they stay, also when the package is purged.
cat > "$stage/DEBIAN/postrm" <<'END'
#!/bin/sh
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
END
chmod 0755 "$stage/DEBIAN/postinst" "$stage/DEBIAN/prerm" "$stage/DEBIAN/postrm"
(cd "$stage" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$stage/DEBIAN/md5sums"

package=$folder/edgeloop-edge_${version}_$architecture.deb
rm -f "$folder"/edgeloop-edge_*.deb
dpkg-deb --root-owner-group --build "$stage" "$package" > /dev/null
echo "$package"
