#!/usr/bin/env python3
"""Every option that a document names exists: documented_options.py <folder of the programs>.

A command of ours is checked against the options of its program and subcommand (--list-options), an option that stands
alone in `code` against those of all programs. `--self-test` proves that the check can fail.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("search", "data", "model", "report", "edge", "bridge")
SCRIPTS = {"run_local.sh": "search", "slurm.sbatch": "search", "quickstart.sh": "search"}  # pass options on
# Options of other programs and of scripts that documents name alone, and whose they are.
OTHERS = {
    "--oversubscribe": "mpirun", "--map-by": "mpirun", "--kill-on-bad-exit": "srun", "--signal": "sbatch", "--requeue": "sbatch",
    "--install": "cmake", "--self-test": "checks of tests/lint", "--no-deps": "pip",
}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
COMMAND = re.compile(r"(?:edgeloop-(%s)|(%s))\b" % ("|".join(PROGRAMS), "|".join(map(re.escape, SCRIPTS))))


def listed(words):
    result = subprocess.run([*words, "--list-options"], stdout=subprocess.PIPE, text=True, check=True)
    return [line.split("\t") for line in result.stdout.splitlines()]


def options_of(lines):
    names = {name for name, kind, _ in lines if kind != "subcommand"}
    return names | {"--no-" + name[2:] for name, kind, _ in lines if kind == "switch"}


def read_programs(folder):
    """Program -> subcommand ('' for none) -> its options."""
    known = {}
    for program in PROGRAMS:
        path = f"{folder}/edgeloop-{program}"
        lines = listed([path])
        known[program] = {"": options_of(lines)}
        for name, kind, _ in lines:
            if kind == "subcommand":
                known[program][name] = options_of(listed([path, name]))
    return known


def pieces(text):
    """(line number, code) of each fenced block, with lines joined that end in a backslash, and each `code` of the text."""
    fenced = re.compile(r"^```[^\n]*\n(.*?)^```", re.M | re.S)
    for found in fenced.finditer(text):
        start = text.count("\n", 0, found.start(1)) + 1
        joined = re.sub(r"\s*\\\n\s*", " ", found.group(1))
        for line in joined.splitlines():
            yield start, line
    plain = fenced.sub(lambda found: "\n" * found.group().count("\n"), text)
    for found in re.finditer(r"`([^`]+)`", plain):
        yield plain.count("\n", 0, found.start()) + 1, " ".join(found.group(1).split())


def own_options(folder):
    """Options that scripts and studies of a folder of experiments read themselves."""
    found = set()
    for path in folder.rglob("*"):
        if path.suffix in (".py", ".sh", ".cpp", ".hpp", ".mjs"):
            text = path.read_text()
            found.update(OPTION.findall(text))
            found.update("--" + name for name in re.findall(r'\badd\w*\("([a-z][a-z0-9-]*)"', text))
    return found


def unknown_in(code, known, own=frozenset()):
    """Options in a piece of code that do not exist, each with where it was looked for."""
    every = set().union(*(options for subcommands in known.values() for options in subcommands.values()))
    commands = list(COMMAND.finditer(code))
    if not commands:
        if not code.startswith("--"):
            return []  # a command of others, or prose
        return [(option, "any program") for option in OPTION.findall(code) if option not in every | own and option not in OTHERS]
    found = []
    for i, command in enumerate(commands):
        end = commands[i + 1].start() if i + 1 < len(commands) else len(code)
        rest = re.split(r"\s[|;&>]|[|;]\s", code[command.end():end])[0]
        program = command.group(1) or SCRIPTS[command.group(2)]
        first = re.match(r"\s+([a-z]+)\b", rest)
        subcommand = first.group(1) if first and first.group(1) in known[program] else ""
        options = known[program][subcommand]
        if subcommand == "" and len(known[program]) > 1:  # "the options of edgeloop-data"
            options = set().union(*known[program].values())
        found += [(option, f"edgeloop-{program} {subcommand}".strip()) for option in OPTION.findall(rest) if option not in options]
    return found


def check(known):
    problems, options, documents = [], 0, 0
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob(".github/*.md"),
                        *(path for folder in ("src", "edge", "mpi_launch", "experiments", "tests", "third_party")
                          for path in (ROOT / folder).rglob("*.md") if "node_modules" not in path.parts)]):
        documents += 1
        own = own_options(path.parent) if "experiments" in path.parts else frozenset()
        for line, code in pieces(path.read_text()):
            options += len(OPTION.findall(code))
            for option, where in unknown_in(code, known, own):
                problems.append(f"{path.relative_to(ROOT)}:{line}: {option} is no option of {where}")
    if documents < 10 or options < 100:
        problems.append(f"only {options} options in {documents} documents: the search is wrong")
    return problems, options, documents


def self_test():
    known = {"search": {"": {"--data", "--resume", "--no-resume"}}, "data": {"": {"--help"}, "shard": {"--input"}}}
    cases = {"edgeloop-search --data x --resume": 0, "edgeloop-search --input x": 1, "edgeloop-data shard --input x --data y": 1,
             "--nothing": 1, "--no-resume": 0, "cmake --preset x": 0, "mpirun --bind-to none edgeloop-search --data x": 0,
             "edgeloop-data shard --input x | grep --foo": 0, "run_local.sh 3 run --dat": 1}
    for code, count in cases.items():
        assert len(unknown_in(code, known)) == count, code
    text = "a `--x\ny` b\n```sh\none \\\n  two\n```\n"
    assert list(pieces(text)) == [(4, "one two"), (1, "--x y")], list(pieces(text))
    print("self-test passed")


if sys.argv[1:] == ["--self-test"]:
    self_test()
else:
    found, count, files = check(read_programs(sys.argv[1]))
    print("\n".join(found) or f"{count} options in {files} documents exist")
    sys.exit(1 if found else 0)
