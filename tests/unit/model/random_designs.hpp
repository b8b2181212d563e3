#pragma once

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/architecture/static_rules.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/space/search_space.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace edgeloop::test {

/// The spaces that tests of random designs walk: all that are shipped.
inline std::vector<std::string> shipped_space_names() {
    std::vector<std::string> names;
    for (const ShippedFile& file : shipped_spaces()) names.emplace_back(file.name);
    return names;
}

/// How many designs of each space a test takes, and how large they may be.
struct DesignBudget {
    int designs;
    double max_gflop;  ///< of a forward pass; the clips of larger designs are made smaller
};

/// A few small ones keep the suite short. EDGELOOP_DESIGNS=200 takes that many, with clips of up to
/// 4 GFLOP: the long run.
inline DesignBudget design_budget() {
    const char* wanted = std::getenv("EDGELOOP_DESIGNS");
    return wanted == nullptr ? DesignBudget{12, 0.05} : DesignBudget{std::atoi(wanted), 4};
}

/// The next random design of the space that can be built. Its clip is halved, side first, until a
/// forward pass is within the budget or the next half would be no legal clip for it.
inline ArchitectureSpec random_design(const SearchSpace& space, RandomStream& random,
                                      const DesignBudget& budget) {
    Genome genome = space.sample(random);
    while (space.infeasibility(genome)) genome = space.sample(random);
    ArchitectureSpec spec = space.decode(genome);
    while (static_cast<double>(count(spec).flops) > budget.max_gflop * 1e9) {
        ArchitectureSpec smaller = spec;
        int& length = spec.clip.side > 16 ? smaller.clip.side : smaller.clip.frames;
        length = (length + 1) / 2;
        if (smaller.clip.frames == 1 || static_problem(Design(smaller))) break;
        spec = smaller;
    }
    return spec;
}

}  // namespace edgeloop::test
