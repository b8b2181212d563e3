#pragma once

#include "table_problems.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

struct EngineSettings;

constexpr std::uint64_t looked_at[] = {50, 100, 200, 400};  ///< evaluations
constexpr double targets[] = {0.98, 0.99, 0.995};           ///< of the true front's hypervolume

/// A way to search, by the name that --engines gives.
struct EngineChoice {
    const char* name;
    void (*settle)(EngineSettings&);
};

/// What all searches of a study share. An evaluation is a training to the last rung, or as many
/// epochs of others.
struct TableSearch {
    std::uint64_t evaluations = 400;
    std::uint64_t population = 20;
    std::vector<int> rungs;  ///< epochs; empty: all designs train fully
    double sigma = 1;        ///< of the logarithm of a training's time, whose mean is 1
    double until = std::numeric_limits<double>::infinity();  ///< share at which a search stops
};

struct Reached {
    double evaluations = 0, time = 0;
};

/// What one search came to.
struct Course {
    std::vector<double> shares;                   ///< by looked_at, as far as it came
    std::vector<std::optional<Reached>> reached;  ///< by targets
    Reached end;
    std::optional<double> held;  ///< share of the intervals of 68 % that held the value
};

/// Searches with so many workers in virtual time.
[[nodiscard]] Course search_table(const TableProblem& problem, const EngineChoice& choice,
                                  std::uint64_t seed, std::size_t workers,
                                  const TableSearch& settings);

}  // namespace edgeloop
