#pragma once

#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/evaluation/constraints.hpp"

#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// What a search is after: metrics to minimise and limits to keep.
struct Goals {
    std::vector<std::string> objectives;  ///< metric names, all minimised
    std::vector<Constraint> constraints;
    /// Worst point that still counts for the hypervolume. Empty: chosen after the first population.
    std::vector<double> reference;
    /// Values at which a result is worth nothing, of metrics for which that is known, e.g. the
    /// error of a network that always says the mean.
    Metrics worthless = {};

    /// Names of the metrics that objectives and constraints ask for.
    [[nodiscard]] std::vector<std::string> wanted() const;
    /// Values of the objectives. Shape (objectives). @throws LogicError  when one is missing.
    [[nodiscard]] std::vector<double> values(const Metrics& metrics) const;
    /// Why these metrics are no complete result (one missing or not finite), or nothing.
    [[nodiscard]] std::optional<std::string> incomplete(const Metrics& metrics) const;
    /// Sum of the violations of those constraints whose metric is known. 0: no known constraint is
    /// broken.
    [[nodiscard]] double violation(const Metrics& metrics) const;
    /// The first broken constraint in words, e.g. "latency_ms is 1.2, which breaks
    /// latency_ms<=0.8"; or nothing.
    [[nodiscard]] std::optional<std::string> broken(const Metrics& metrics) const;
    /// One line for records: objectives and constraints; equal goals give equal text.
    [[nodiscard]] std::string text() const;
};

}  // namespace edgeloop
