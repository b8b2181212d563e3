#!/usr/bin/env bash
# C++ is formatted as .clang-format says. Releases of clang-format differ: Debian 12's counts (exit code 77,
# skipped, where it is not installed).
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in clang-format-14 clang-format ""; do
    [ -n "$tool" ] || { echo "skipped: clang-format 14 is not installed"; exit 77; }
    ! "$tool" --version 2> /dev/null | grep -q 'version 14\.' || break
done
mapfile -t files < <(find include src edge tests experiments -name '*.[ch]pp' | sort)
[ "${#files[@]}" -gt 0 ] || { echo "no source found: the search is wrong"; exit 1; }
"$tool" --dry-run -Werror "${files[@]}"
echo "${#files[@]} files are formatted"
