#pragma once

#include "apps/measuring_classes.hpp"

#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/evaluation/goals.hpp"
#include "edgeloop/space/search_space.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop::apps {

/// Why a design cannot be simulated hardware of one of the classes, or nothing: it has no circuit,
/// needs more of the part than a design may use, or breaks a limit on what is known of a circuit
/// before it is simulated.
using CircuitRule = std::function<std::optional<std::string>(const Candidate&)>;

/// Of a search that trains nothing before it knows; remembers what it has found out. Where yosys
/// will count, the estimate speaks only against what the whole part does not have.
/// @return nothing to call when no class is simulated.
[[nodiscard]] CircuitRule circuit_rule(const MeasuringClasses& classes, const Goals& goals);

/// Refuses a space of which neither a given design nor any of a sample is allowed by the rule.
/// @throws ConfigError with an example of why.
void require_circuits(const SearchSpace& space, const CircuitRule& rule,
                      const std::vector<Genome>& given = {});

}  // namespace edgeloop::apps
