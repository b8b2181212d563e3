#!/usr/bin/env python3
"""A bound is called max_something, so that one search finds all of them: no most_, largest_ or longest_.

`--self-test` proves that the check can fail.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORD = re.compile(r"\b(?:most|largest|longest)_[a-z0-9_]+")
# Which of several, and keys of files.
NO_BOUNDS = {"most_accurate", "most_crowded", "largest_first", "largest_difference"}


def faults(text, name):
    return [f"{name}:{number}: {word}: a bound is called max_..." for number, line in enumerate(text.splitlines(), 1)
            for word in WORD.findall(line) if word not in NO_BOUNDS]


def main():
    if "--self-test" in sys.argv:
        assert faults("int a;\nconstexpr int most_rows = 3;", "x") == ["x:2: most_rows: a bound is called max_..."]
        assert not faults("most_crowded(); the most rows; max_rows", "x")
        return
    found = []
    for folder in ("src", "include", "edge", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".cpp", ".hpp", ".inl"):
                found += faults(path.read_text(), path.relative_to(ROOT))
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main()
