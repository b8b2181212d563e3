#!/usr/bin/env python3
"""No function of the product is longer than 60 lines, its signature included, and no file than 400.

Reads braces, so it needs code that compiles, but no compiler. `--self-test` proves that the check can
fail.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_FUNCTION, MAX_FILE = 60, 400
# Comments, literals and preprocessor lines may hold braces that count for nothing.
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\''
                   r'|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.S | re.M)
SCOPE = re.compile(r'\s*(?:inline\s+)?(?:namespace\b|extern\b)')
TYPE = re.compile(r'\s*(?:template\s*<.*>\s*)?(?:typedef\s+)?(?:class|struct|union|enum)\b[^()=]*$', re.S)


def functions_of(text):
    """(name, lines) of every function at namespace or class level."""
    text = NOISE.sub(lambda found: "\n" * found.group().count("\n"), text)
    found, stack, begin = [], [], 0  # begin: of the declaration at hand
    for at, char in enumerate(text):
        if char == ";" and "function" not in stack:
            begin = at + 1
        elif char == "{":
            head = text[begin:at]
            if "function" in stack or "other" in stack:
                stack.append("inner")
            elif SCOPE.match(head) or TYPE.match(head):
                stack.append("scope")
                begin = at + 1
            else:
                stack.append("function" if ")" in head else "other")
        elif char == "}":
            kind = stack.pop()
            if kind == "function" and text[at + 1:].lstrip()[:1] not in (",", "{"):  # else: a member's initialiser
                head = text[begin:at]
                first = begin + len(head) - len(head.lstrip())
                name = re.search(r"([\w:~]+|operator\W+)\s*\(", head)
                found.append((name.group(1) if name else "?", text.count("\n", first, at) + 1))
            if kind == "scope" or kind == "function" and text[at + 1:].lstrip()[:1] not in (",", "{"):
                begin = at + 1
    assert not stack, "braces do not match"
    return found


def problems():
    found, files = {}, 0
    for folder in ("include", "src", "edge"):
        for path in sorted((ROOT / folder).rglob("*.[ch]pp")):
            files += 1
            name, text = path.relative_to(ROOT).as_posix(), path.read_text()
            if text.count("\n") > MAX_FILE:
                found[name] = f"{text.count(chr(10))} lines"
            for function, lines in functions_of(text):
                if lines > MAX_FUNCTION:
                    found[f"{name}: {function}"] = f"{lines} lines"
    return found, files


def self_test():
    body = "    f();\n" * 59
    assert functions_of("namespace {\nint g(int x)\n{\n" + body + "}\n}\n") == [("g", 62)]
    assert functions_of("struct A {\n    A() : a_{1}, b_(2) {\n        if (a) {\n        }\n    }\n    int a_{3};\n};\n") == [("A", 4)]
    assert functions_of("std::vector<int> values = {1,\n2};\nvoid A::f() const {\n}\n") == [("A::f", 2)]
    assert functions_of('template <class T>\nvoid h(T) {\n    // }\n    g("}", \'}\', [] { return 1; });\n}\n') == [("h", 5)]
    assert functions_of("enum class E { a, b };\nclass B : public A {\n    B& operator=(const B&) {\n    }\n};\n") == [("operator=", 2)]


def main():
    found, files = problems()
    bad = [f"{what}: {size} ({MAX_FILE if ':' not in what else MAX_FUNCTION} are allowed)"
           for what, size in found.items()]
    print("\n".join(bad) or f"{files} files, none too long, nor any function in them")
    return 1 if bad or not files else 0


if __name__ == "__main__":
    if "--self-test" in sys.argv:
        self_test()
        sys.exit(0)
    sys.exit(main())
