#pragma once

#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <functional>
#include <optional>
#include <string>

namespace edgeloop {

/// Why a training ends before its last step, in terms of a candidate's life. Thrown on all ranks of
/// a group alike; what went wrong on this rank alone is a value.
struct EarlyEnd {
    /// cancelled; failed; or lost when files, the network, the accelerator or the operating system
    /// are to blame, which another group may well have in order.
    Status status = Status::failed;
    std::string reason;  ///< one line
};

/// Runs `work`; what it throws becomes a failure. Exhausted memory gives "out of memory: …".
[[nodiscard]] std::optional<EarlyEnd> attempt(const std::function<void()>& work);

/// The failure of the first rank that has one, naming it. Collective.
[[nodiscard]] std::optional<EarlyEnd> first_failure(const Communicator& group,
                                                    const std::optional<EarlyEnd>& own);

}  // namespace edgeloop
