#!/usr/bin/env bash
# Builds the bridge, the agent and their tests for arm64 on an x86-64 Debian 12; the emulator is there
# to run the tests with (ctest --test-dir FOLDER/build). Installs nothing: compiler, emulator and the arm64 libraries are unpacked in FOLDER
# (about 4 GB).
# usage: edge/arm64/build.sh FOLDER [cmake target...]
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mkdir -p "${1:?usage: build.sh FOLDER [target...]}" && cd "$1" && pwd)
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(edgeloop-bridge edgeloop-edge unit_core unit_link unit_edge)

tools=(
  mmdebstrap qemu-user-static binutils-aarch64-linux-gnu gcc-12-aarch64-linux-gnu-base
  cpp-12-aarch64-linux-gnu gcc-12-aarch64-linux-gnu g++-12-aarch64-linux-gnu libgcc-12-dev-arm64-cross
)
libraries=libc6-dev,linux-libc-dev,libstdc++-12-dev,libgcc-12-dev,libzmq3-dev,cppzmq-dev,libcereal-dev
libraries+=,libspdlog-dev,libfmt-dev,nlohmann-json3-dev,zlib1g-dev,libxxhash-dev,libsqlite3-dev
libraries+=,libboost-program-options-dev,libtorch-dev,libgtest-dev,libgmock-dev

if [ ! -e "$folder/tools.done" ]; then
  mkdir -p "$folder/packages" "$folder/tools"
  (cd "$folder/packages" && apt-get download "${tools[@]}")
  for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/tools"; done
  touch "$folder/tools.done"
fi
sysroot=$folder/sysroot
if [ ! -e "$folder/sysroot.done" ]; then
  rm -rf "$sysroot"
  perl "$folder/tools/usr/bin/mmdebstrap" --mode=root --variant=extract --architectures=arm64 \
    --include="$libraries" bookworm "$sysroot" "deb http://deb.debian.org/debian bookworm main"
  # What the packages' own scripts would do: they cannot run here.
  lib=$sysroot/usr/lib/aarch64-linux-gnu
  ln -sf blas/libblas.so.3 "$lib/libblas.so.3"
  ln -sf lapack/liblapack.so.3 "$lib/liblapack.so.3"
  find "$sysroot" -xtype l -lname '/*' | while read -r link; do
    target=$sysroot$(readlink "$link")
    if [ -e "$target" ]; then ln -sfn "$target" "$link"; fi
  done
  touch "$folder/sysroot.done"
fi

cat > "$folder/toolchain.cmake" <<END
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_SYSROOT $sysroot)
set(CMAKE_C_COMPILER $folder/tools/usr/bin/aarch64-linux-gnu-gcc-12)
set(CMAKE_CXX_COMPILER $folder/tools/usr/bin/aarch64-linux-gnu-g++-12)
set(CMAKE_CXX_FLAGS_INIT "-isystem $sysroot/usr/include/c++/12 -isystem $sysroot/usr/include/aarch64-linux-gnu/c++/12")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L$sysroot/usr/lib/gcc/aarch64-linux-gnu/12")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR "$folder/tools/usr/bin/qemu-aarch64-static;-L;$sysroot")
END
export LD_LIBRARY_PATH=$folder/tools/usr/lib/x86_64-linux-gnu
cmake --fresh -S "$source" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_TOOLCHAIN_FILE="$folder/toolchain.cmake" -DEDGELOOP_EDGE_ONLY=ON
cmake --build "$folder/build" --target "${targets[@]}"
