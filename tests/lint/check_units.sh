#!/usr/bin/env bash
# The systemd units are understood to the last setting. Skipped (77) where systemd is not.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v systemd-analyze > /dev/null || { echo "systemd-analyze is not here: not checked"; exit 77; }
# That the programs are not installed is no mistake of the units.
found=$(systemd-analyze verify edge/systemd/*.service 2>&1 | grep -v "is not executable: No such file or directory" || true)
[ -z "$found" ] || { echo "$found"; exit 1; }
echo "units: understood"
