#pragma once

#include <cstdint>
#include <functional>

namespace edgeloop {

/// How far a long job has come. Called often; the receiver decides how often to show it.
struct JobProgress {
    std::uint64_t done = 0, total = 0;  ///< in the job's own unit, e.g. frames
};

using ProgressCallback = std::function<void(const JobProgress&)>;

}  // namespace edgeloop
