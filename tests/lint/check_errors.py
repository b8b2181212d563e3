#!/usr/bin/env python3
"""The texts that mpi_launch/errors.md explains are what programs and scripts say: each `text` of a table's first column is
found in a source, where literals may go on in the next line. `--self-test` proves that the check can fail."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def joined(text):
    """A source with literals in one piece that are written in several."""
    return re.sub(r'"\s*\n\s*"', "", text)


def explained(page):
    for line in page.splitlines():
        if line.startswith("| `"):
            yield from re.findall(r"`([^`]+)`", line.split("|")[1])


def missing(page, sources):
    return [text for text in explained(page) if not any(text in source for source in sources)]


def sources():
    patterns = [("src", "*.cpp"), ("src", "*.hpp"), ("include", "*.hpp"), ("edge", "*.cpp"), ("mpi_launch", "*.sh"), ("third_party", "*.cmake")]
    return [joined(path.read_text()) for folder, pattern in patterns for path in (ROOT / folder).rglob(pattern)]


if sys.argv[1:] == ["--self-test"]:
    assert missing("| `a b` … `c` | x `d` |\n| other | `e` |", ['"a "\n    "b"'.replace("a ", "a "), "c"]) == ["a b"]
    assert missing("| `a b` | |", [joined('"a "\n    "b"')]) == []
    print("self-test passed")
else:
    text = (ROOT / "mpi_launch/errors.md").read_text()
    count, found = len(list(explained(text))), missing(text, sources())
    if count < 20:
        found.append(f"only {count} texts: the search is wrong")
    print("\n".join(f"nobody says: {each}" for each in found) or f"{count} texts are what programs say")
    sys.exit(1 if found else 0)
