#pragma once

#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/evaluation/goals.hpp"
#include "edgeloop/evolution/problems.hpp"

namespace edgeloop {

/// Objectives of a test problem, the constraints g1<=0, g2<=0 … if it has any, and its reference
/// point.
[[nodiscard]] Goals goals_of(const Problem& problem);

/// Evaluates a candidate of a test problem: metrics named as its objectives, and g1, g2 … . Never
/// fails.
[[nodiscard]] Outcome evaluate(const Problem& problem, const Candidate& candidate);

}  // namespace edgeloop
