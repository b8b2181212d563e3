#pragma once

#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/search/candidate.hpp"

#include <functional>
#include <optional>
#include <string>

namespace edgeloop {

/// Why a part of training went wrong on this rank, in terms of a candidate's life.
struct Failure {
    Status status = Status::failed;  ///< failed, or lost when files or the network are to blame
    std::string reason;              ///< one line
};

/// Runs `work`; what it throws becomes a failure. Exhausted memory gives "out of memory: …".
[[nodiscard]] std::optional<Failure> attempt(const std::function<void()>& work);

/// The first failure of any rank, naming the rank; nothing when no rank has one. Collective.
[[nodiscard]] std::optional<Failure> agree_on_failure(const Communicator& group,
                                                      const std::optional<Failure>& own);

}  // namespace edgeloop
