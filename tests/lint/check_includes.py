#!/usr/bin/env python3
"""Checks every #include of include/ and src/ against tests/lint/includes.json.

A module includes only the modules its row allows, a third-party header only in its home, and no
public header shows a library to its users. `--self-test` proves that the check can fail.
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = json.loads((ROOT / "tests/lint/includes.json").read_text())
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def problems_of(path, text):
    """Messages for one file; `path` is relative to the root."""
    parts = pathlib.PurePosixPath(path).parts
    public = parts[0] == "include"
    module = parts[2] if public else parts[1]
    if module not in RULES["modules"]:
        return [] if module == "apps" else [f"{path}: module '{module}' is not in tests/lint/includes.json"]
    allowed = {module, *RULES["modules"][module]}
    found = []
    for _, name in INCLUDE.findall(text):
        other = None
        if name.startswith("edgeloop/"):
            other = name.split("/")[1]
        elif not public and name.split("/")[0] in RULES["modules"]:
            other = name.split("/")[0]
        if other is not None and other not in allowed:
            found.append(f"{path}: includes {name}, but {module} may use only {sorted(allowed)}")
        for library, homes in RULES["libraries"].items():
            if not (name == library or (library.endswith("/") and name.startswith(library))):
                continue
            if "*" not in homes and module not in homes:
                found.append(f"{path}: includes <{name}>, whose home is {homes}")
            if public and library in RULES["never_in_public_headers"]:
                found.append(f"{path}: public header shows <{name}> to its users")
    return found


def all_problems():
    found = []
    for folder in ("include/edgeloop", "src"):
        for path in sorted((ROOT / folder).rglob("*.[ch]pp")):
            found += problems_of(path.relative_to(ROOT).as_posix(), path.read_text())
    return found


def self_test():
    assert problems_of("src/search/a.cpp", '#include <mpi.h>\n')
    assert problems_of("src/search/a.cpp", '#include "edgeloop/comm/session.hpp"\n')
    assert problems_of("include/edgeloop/model/a.hpp", '#include <torch/torch.h>\n')
    assert problems_of("src/link/a.cpp", '#include "model/network.hpp"\n')
    assert problems_of("src/unknown/a.cpp", "")
    assert not problems_of("src/model/a.cpp", '#include <torch/torch.h>\n#include "model/network.hpp"\n')
    assert not problems_of("src/dispatch/a.cpp", '#include "edgeloop/comm/session.hpp"\n')


if __name__ == "__main__":
    if "--self-test" in sys.argv:
        self_test()
        sys.exit(0)
    messages = all_problems()
    print("\n".join(messages) or "includes: as in the table")
    sys.exit(1 if messages else 0)
