#pragma once

#include <string>

namespace edgeloop {

enum class Relation { at_most, at_least };

/// A demand on one metric of a completed candidate, e.g. latency_ms <= 0.8.
struct Constraint {
    std::string metric;
    Relation relation = Relation::at_most;
    double bound = 0;
};

/// Parses "latency_ms<=0.8", "latency_ms@board<=0.8" or "r2 >= 0.5"; spaces around the relation are
/// allowed.
/// @throws ConfigError  anything else.
[[nodiscard]] Constraint parse_constraint(const std::string& text);

/// The text parse_constraint() reads, for records.
[[nodiscard]] std::string to_string(const Constraint& constraint);

/// How far a value is from meeting the constraint; 0 when it does. Unit: fraction of |bound|, so
/// that violations of different metrics can be added; of 1 when the bound is 0. A NaN value:
/// +infinity.
[[nodiscard]] double violation(const Constraint& constraint, double value);

}  // namespace edgeloop
