#include "edgeloop/evaluation/candidate.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::array<const char*, 6> status_names = {"completed", "infeasible", "failed",
                                                     "lost",      "cancelled",  "timed_out"};

}  // namespace

bool measured_validly(const Metrics& metrics) {
    return std::none_of(metrics.begin(), metrics.end(), [](const auto& metric) {
        return metric.second == 0 && has_meaning(metric.first, Meaning::validity);
    });
}

const char* to_string(Status status) { return status_names.at(static_cast<std::size_t>(status)); }

Status status_from(const std::string& name) {
    for (std::size_t i = 0; i < status_names.size(); ++i)
        if (name == status_names[i]) return static_cast<Status>(i);
    throw CorruptState(fmt::format("unknown status '{}'", name));
}

}  // namespace edgeloop
