#!/usr/bin/env python3
"""Checks every #include of include/, src/ and edge/ against what CMake links: the calls of
edgeloop_module() and edgeloop_program() are the only table of dependencies.

A file includes only core and the modules and libraries that its target names itself (headers: those of
any target of their folder). No public header shows a library to its users, but JSON. `--self-test` proves that
the check can fail.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
TARGET = re.compile(r"^\s*edgeloop_(?:module|program)\((\S+)\s+([^)]*)\)", re.M)
KEYWORDS = ("SOURCES", "PUBLIC", "PRIVATE", "HEADERS", "LIBRARIES")
LIBRARIES = {
    "spdlog/": "spdlog::spdlog", "nlohmann/": "nlohmann_json::nlohmann_json", "xxhash.h": "xxhash::xxhash",
    "zlib.h": "ZLIB::ZLIB", "png.h": "PNG::PNG", "mpi.h": "MPI::MPI_C", "hdf5.h": "edgeloop::hdf5", "torch/": "edgeloop::torch",
    "ATen/": "edgeloop::torch", "c10/": "edgeloop::torch", "zmq.hpp": "cppzmq::headers", "zmq.h": "zeromq::zmq",
    "cereal/": "cereal::headers", "boost/": "Boost::program_options", "sqlite3.h": "sqlite::sqlite",
    "onnxruntime_cxx_api.h": "edgeloop::onnxruntime", "omp.h": "OpenMP::OpenMP_CXX", "Eigen/": "Eigen3::Eigen",
}


def targets_of(text):
    """Of one CMake file: name -> (sources, dependencies)."""
    found = {}
    for name, body in TARGET.findall(re.sub(r"#.*", "", text)):
        keyword, words = None, {key: [] for key in KEYWORDS}
        for word in body.split():
            if word in KEYWORDS:
                keyword = word
            else:
                words[keyword].append(re.sub(r"\$<TARGET_NAME_IF_EXISTS:(.*)>", r"\1", word))
        sources = words.pop("SOURCES")
        found[name] = (sources, {f"edgeloop::{name}"}.union(*words.values()))
    return found


def read_folders():
    """Folder of a module's or program's sources -> its targets."""
    folders = {path.parent.relative_to(ROOT).as_posix(): targets_of(path.read_text())
               for path in [*ROOT.glob("src/*/CMakeLists.txt"), ROOT / "edge/CMakeLists.txt"]}
    return {folder: targets for folder, targets in folders.items() if targets}


def problems_of(path, text, folders):
    """Messages for one file; `path` is relative to the root."""
    parts = pathlib.PurePosixPath(path).parts
    public = parts[0] == "include"
    folder = f"src/{parts[2]}" if public else parts[0] if parts[0] == "edge" else "/".join(parts[:2])
    if folder not in folders:
        return [f"{path}: no target in {folder}/CMakeLists.txt"]
    targets = folders[folder].values()
    inside = path[len(folder) + 1:]
    owners = [uses for sources, uses in targets if not public and inside in sources]
    allowed = {"edgeloop::core"}.union(*(owners or [uses for _, uses in targets]))
    found = []
    for name in INCLUDE.findall(text):
        first = name.split("/")[0]
        needed = None
        if first == "edgeloop":
            needed = "edgeloop::" + name.split("/")[1]
        elif f"src/{first}" in folders and first != "apps":
            needed = f"edgeloop::{first}"
            if public:
                found.append(f"{path}: public header shows the private {name}")
        for library, target in LIBRARIES.items():
            if name == library or (library.endswith("/") and name.startswith(library)):
                needed = target
                if public and library != "nlohmann/":
                    found.append(f"{path}: public header shows <{name}> to its users")
        if needed is not None and needed not in allowed:
            found.append(f"{path}: includes {name}, but its target does not name {needed}")
    return found


def all_problems():
    folders = read_folders()
    found = []
    for folder in ("include/edgeloop", "src", "edge"):
        for path in sorted((ROOT / folder).rglob("*.[ch]pp")):
            found += problems_of(path.relative_to(ROOT).as_posix(), path.read_text(), folders)
    return found


def self_test():
    folders = {
        "src/search": targets_of("edgeloop_module(search SOURCES a.cpp PUBLIC edgeloop::core)"),
        "src/model": targets_of("edgeloop_module(model  # networks\n SOURCES b.cpp PRIVATE edgeloop::torch)"),
        "src/apps": targets_of("edgeloop_program(one SOURCES one.cpp LIBRARIES edgeloop::search)\n"
                               "edgeloop_program(two SOURCES two.cpp LIBRARIES edgeloop::model)"),
    }

    def bad(path, text):
        return problems_of(path, text, folders)

    assert bad("src/search/a.cpp", "#include <mpi.h>\n")
    assert bad("src/search/a.cpp", '#include "edgeloop/comm/session.hpp"\n')
    assert bad("src/search/a.cpp", '#include "model/network.hpp"\n')
    assert bad("include/edgeloop/model/a.hpp", "#include <torch/torch.h>\n")
    assert bad("include/edgeloop/model/a.hpp", '#include "model/network.hpp"\n')
    assert bad("src/unknown/a.cpp", "")
    assert bad("src/apps/one.cpp", '#include "edgeloop/model/counts.hpp"\n')
    assert not bad("src/apps/two.cpp", '#include "edgeloop/model/counts.hpp"\n')
    assert not bad("src/model/b.cpp", '#include <torch/torch.h>\n#include "model/network.hpp"\n')
    assert not bad("src/search/a.cpp", '#include "edgeloop/core/error.hpp"\n#include <vector>\n')


if __name__ == "__main__":
    if "--self-test" in sys.argv:
        self_test()
        sys.exit(0)
    messages = all_problems()
    print("\n".join(messages) or "includes: as CMake links")
    sys.exit(1 if messages else 0)
