#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/link/keys.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace edgeloop {

/// Asks a running bridge to describe itself: devices, clients, queue, rates, last errors. All texts
/// are printable().
/// @throws CommError  when it does not answer in time; says why, as far as that is known.
[[nodiscard]] Json bridge_status(const BridgeAddress& address, double timeout_s);

/// Jobs to forget; each part that is given must fit, and one must be given.
struct JobChoice {
    std::uint64_t job = 0;     ///< request id; 0: any
    std::string device_class;  ///< that the job asks for; empty: any
    std::string owner;         ///< name of a search that waits for it; empty: any
};

/// Has a running bridge drop jobs: those that wait for them get a failure, nothing is stored.
/// @return how many. @throws CommError  when it does not answer in time.
[[nodiscard]] std::size_t drop_jobs(const BridgeAddress& address, const JobChoice& choice,
                                    double timeout_s);

}  // namespace edgeloop
