#!/usr/bin/env python3
"""What the documents name is there: the target of each link, and each file that is named by its path from the root.

`--self-test` proves that the check can fail.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`[^`]*`")
NAMED = re.compile(r"(?<![\w/.-])(?:src|include|edge|tests|experiments|mpi_launch|third_party)/[\w/.-]+"
                   r"\.(?:cpp|hpp|inl|sh|py|md|json|ini|txt|cmake)(?![\w-]|\.\w)")


def faults(text, document, exists):
    """exists says of a path from the root whether something is there."""
    found = []
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        links = [] if fenced else LINK.findall(CODE.sub("", line))
        paths = {str(pathlib.PurePosixPath(document).parent / link) for link in links if ":" not in link}
        found += [f"{document}:{number}: {path} is not there"
                  for path in sorted(paths | set(NAMED.findall(line))) if not exists(path)]
    return found


def main():
    if "--self-test" in sys.argv:
        text = "see [a](b/c.md#d), [e](https://f) and `tests/g.sh`\n"
        assert faults(text, "src/README.md", lambda path: False) == [
            "src/README.md:1: src/b/c.md is not there", "src/README.md:1: tests/g.sh is not there"]
        assert not faults(text, "src/README.md", lambda path: True)
        code = "`[](int)` and tests/g.json.gz, a-tests/g.sh\n```\na[i](x)\n```\n"
        assert not faults(code, "src/README.md", lambda path: False)
        return
    documents = [path for top in ("", ".github", "src", "edge", "include", "mpi_launch", "experiments", "tests", "third_party")
                 for path in sorted((ROOT / top).glob("*.md" if top == "" else "**/*.md")) if "node_modules" not in path.parts]
    assert len(documents) > 1, "no document was found"
    sys.exit("\n".join(fault for path in documents for fault in faults(
        path.read_text(), str(path.relative_to(ROOT)), lambda name: (ROOT / name).exists())) or None)


if __name__ == "__main__":
    main()
