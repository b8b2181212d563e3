#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/families.hpp"

#include <string>
#include <vector>

namespace edgeloop::test {

inline ArchitectureSpec spec_of(const std::string& family, const std::string& architecture,
                                int frames, int side) {
    ArchitectureSpec spec;
    spec.family = family;
    spec.architecture = parse_json(architecture, "test");
    spec.clip.frames = frames;
    spec.clip.side = side;
    return spec;
}

/// The published human design.
inline ArchitectureSpec human_baseline() {
    return spec_of("swin3d",
                   R"({"patch": [2, 4, 4], "embed_dim": 96, "depths": [2, 2, 6, 2],
                       "heads": [3, 6, 12, 24], "window": [8, 7, 7], "mlp_ratio": 4})",
                   16, 224);
}

/// Two small stages with shifted windows.
inline ArchitectureSpec small_swin3d(int frames = 4, int side = 24) {
    return spec_of("swin3d",
                   R"({"patch": [2, 2, 2], "embed_dim": 12, "depths": [2, 2], "heads": [3, 6],
                       "window": [2, 4, 4], "mlp_ratio": 2, "head_hidden": [20, 10]})",
                   frames, side);
}

/// The independent study's network, narrower.
inline ArchitectureSpec small_cnn3d(int frames = 8, int side = 20) {
    return spec_of("cnn3d",
                   R"({"stages": [{"channels": 8, "kernel": [3, 5, 4], "pool": [2, 2, 2]},
                                  {"channels": 12, "kernel": [3, 3, 3], "pool": [16, 3, 3]}],
                       "hidden": [16, 8], "reduce": "flatten"})",
                   frames, side);
}

/// Two stages, one of them with squeeze-excitation and a residual.
inline ArchitectureSpec small_mbconv3d(int frames = 6, int side = 15) {
    return spec_of("mbconv3d",
                   R"({"stem": 6, "head": 20, "dropout": 0.2, "stages": [
                       {"channels": 8, "expansion": 1.5, "kernel": [1, 3, 3], "stride": [1, 2, 2]},
                       {"channels": 12, "expansion": 3, "kernel": [3, 5, 3], "stride": [2, 2, 2],
                        "repeats": 2, "squeeze": 0.25}]})",
                   frames, side);
}

/// One of each family, for tests that walk them all; counts_test.cpp says which family lacks one.
inline std::vector<ArchitectureSpec> small_designs() {
    return {small_swin3d(), small_cnn3d(), small_mbconv3d()};
}

/// What a list of one design, or its like, for each family has to name.
inline std::vector<std::string> family_names() {
    std::vector<std::string> names;
    for (const AnyFamily& family : families()) names.emplace_back(name_of(family));
    return names;
}

}  // namespace edgeloop::test
