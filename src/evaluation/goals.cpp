#include "edgeloop/evaluation/goals.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>

#include <fmt/format.h>

namespace edgeloop {

std::vector<std::string> Goals::wanted() const {
    std::vector<std::string> names = objectives;
    for (const Constraint& constraint : constraints) names.push_back(constraint.metric);
    return names;
}

std::vector<double> Goals::values(const Metrics& metrics) const {
    std::vector<double> values;
    values.reserve(objectives.size());
    for (const std::string& name : objectives) {
        const auto found = metrics.find(name);
        EDGELOOP_EXPECT(found != metrics.end(), "an objective is missing: " + name);
        values.push_back(found->second);
    }
    return values;
}

std::optional<std::string> Goals::incomplete(const Metrics& metrics) const {
    for (const std::string& name : wanted()) {
        const auto found = metrics.find(name);
        if (found == metrics.end()) return fmt::format("{} was not measured", name);
        if (!std::isfinite(found->second)) return fmt::format("{} is {}", name, found->second);
    }
    return std::nullopt;
}

double Goals::violation(const Metrics& metrics) const {
    double sum = 0;
    for (const Constraint& constraint : constraints) {
        const auto found = metrics.find(constraint.metric);
        if (found != metrics.end()) sum += edgeloop::violation(constraint, found->second);
    }
    return sum;
}

std::optional<std::string> Goals::broken(const Metrics& metrics) const {
    for (const Constraint& constraint : constraints) {
        const auto found = metrics.find(constraint.metric);
        if (found != metrics.end() && edgeloop::violation(constraint, found->second) > 0)
            return fmt::format("{} is {}, which breaks {}", constraint.metric, found->second,
                               to_string(constraint));
    }
    return std::nullopt;
}

std::string Goals::text() const {
    std::string text;
    for (const std::string& name : objectives) text += (text.empty() ? "" : ",") + name;
    for (const Constraint& constraint : constraints) text += ";" + to_string(constraint);
    return text;
}

}  // namespace edgeloop
