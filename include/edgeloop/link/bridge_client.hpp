#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/link/keys.hpp"

#include <string>

namespace edgeloop {

/// The address and keys with which to reach a bridge.
struct BridgeAddress {
    std::string endpoint;
    LinkKeys keys;
    std::string server_key;
};

/// Asks a running bridge to describe itself: devices, clients, queue, rates, last errors.
/// @throws CommError  when it does not answer in time; says why, as far as that is known.
[[nodiscard]] Json bridge_status(const BridgeAddress& address, double timeout_s);

}  // namespace edgeloop
