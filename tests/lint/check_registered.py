#!/usr/bin/env python3
"""Every tests/**/*_test.cpp is named by a CMake file of its folder (or one above it in tests/)."""
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]

missing = []
sources = sorted(TESTS.rglob("*_test.cpp"))
for source in sources:
    folder = source.parent
    texts = []
    while folder != TESTS.parent:
        texts += [path.read_text() for path in [*folder.glob("CMakeLists.txt"), *folder.glob("*.cmake")]]
        folder = folder.parent
    if not any(source.name in text for text in texts):
        missing.append(source.relative_to(TESTS.parent))
print("\n".join(f"{path}: no CMake file names it" for path in missing) or f"{len(sources)} test files, all registered")
sys.exit(1 if missing or not sources else 0)
