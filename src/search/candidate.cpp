#include "edgeloop/search/candidate.hpp"

#include "edgeloop/core/error.hpp"

#include <array>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::array<const char*, 6> status_names = {"completed", "infeasible", "failed",
                                                     "lost",      "cancelled",  "timed_out"};

}  // namespace

const char* to_string(Status status) { return status_names.at(static_cast<std::size_t>(status)); }

Status status_from(const std::string& name) {
    for (std::size_t i = 0; i < status_names.size(); ++i)
        if (name == status_names[i]) return static_cast<Status>(i);
    throw CorruptState(fmt::format("unknown status '{}'", name));
}

}  // namespace edgeloop
