#!/usr/bin/env bash
# Runs Python with these arguments in an environment of the tests' own: build/NAME-venv of the source folder, made when it
# is missing or the packages changed. Exits with 77, so that a test is skipped and says why, where that cannot be had,
# e.g. without a network.
#   tests/python_environment.sh NAME 'PACKAGE==VERSION ...' ARGUMENT...
# The packages come with what they depend on; after the word --no-deps without.
set -euo pipefail
venv=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/build/$1-venv
wanted=$2
shift 2

if [ "$(cat "$venv/installed.txt" 2> /dev/null)" != "$wanted" ]; then
    mkdir -p "$(dirname "$venv")"
    # shellcheck disable=SC2086 # words
    if ! /usr/bin/python3 -m venv --clear "$venv" > "$venv.log" 2>&1 ||
        ! "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 $wanted >> "$venv.log" 2>&1; then
        echo "skipped: $wanted cannot be installed: $(grep -v '^ *$' "$venv.log" | tail -n 1)"
        exit 77
    fi
    echo "$wanted" > "$venv/installed.txt"
fi
exec "$venv/bin/python" "$@"
