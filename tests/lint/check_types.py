#!/usr/bin/env python3
"""No two types of the same qualified name: linked together they would break the one-definition rule
in silence. Types in unnamed namespaces and nested types are their file's own. `--self-test` proves
that the check can fail.
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMESPACE = re.compile(r"(?:inline )?namespace\s*([\w:]*)\s*\{")
TYPE = re.compile(r"(?:struct|class|enum class|enum|union)\s+(?:\[\[\w+\]\]\s*)?(\w+)(?:\s+final)?(?:\s*:[^:].*)?\s*\{")


def types_of(text):
    """Qualified names of the types defined at namespace level."""
    names, namespaces = [], []
    for line in text.splitlines():
        if opened := NAMESPACE.match(line):
            namespaces.append(opened.group(1))
        elif line.startswith("}  // namespace") and namespaces:
            namespaces.pop()
        elif (found := TYPE.match(line)) and "" not in namespaces:
            names.append("::".join([*namespaces, found.group(1)]))
    return names


def self_test():
    header = "namespace edgeloop {\nstruct Problem {\n    struct Inner {\n    };\n};\n}  // namespace edgeloop\n"
    assert types_of(header) == ["edgeloop::Problem"]
    assert types_of("namespace edgeloop {\nclass Problem final : public Base {\n") == ["edgeloop::Problem"]
    assert types_of("namespace edgeloop {\nstruct Broker::Impl {\n};\nclass Broker;\n") == []
    assert types_of("namespace edgeloop {\nnamespace {\nclass Problem {\n};\n}  // namespace\n") == []


def main():
    where = collections.defaultdict(list)
    for folder in ("include", "src", "edge"):
        for path in sorted((ROOT / folder).rglob("*.[ch]pp")):
            for name in types_of(path.read_text()):
                where[name].append(path.relative_to(ROOT).as_posix())
    twice = [f"{name} is defined in {' and '.join(paths)}" for name, paths in where.items() if len(paths) > 1]
    print("\n".join(twice) or f"{len(where)} types, each defined once")
    return 1 if twice or not where else 0


if __name__ == "__main__":
    if "--self-test" in sys.argv:
        self_test()
        sys.exit(0)
    sys.exit(main())
