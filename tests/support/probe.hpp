#pragma once

#include "support/eventually.hpp"

#include "edgeloop/link/remote_probe.hpp"

#include <cstddef>
#include <map>

#include <gtest/gtest.h>

namespace edgeloop::test {

/// Of a search to which devices dial in, and which soon notices that one is gone.
inline RemoteProbeOptions bind_options() {
    RemoteProbeOptions options;
    options.edge = {EdgeOption::Mode::bind, "tcp://127.0.0.1:*"};
    options.board.heartbeat_s = 0.2;
    options.board.peer_dead_s = 1;
    options.board.quiet_dead_s = 3;
    return options;
}

/// Polls until `count` outcomes have arrived or 20 s have passed.
inline std::map<CandidateId, Outcome> collect(LatencyProbe& probe, std::size_t count) {
    std::map<CandidateId, Outcome> outcomes;
    (void)eventually(
        [&] {
            for (const Outcome& outcome : probe.poll()) {
                EXPECT_EQ(outcomes.count(outcome.id), 0u) << "settled twice: " << outcome.id;
                outcomes[outcome.id] = outcome;
            }
            return outcomes.size() >= count;
        },
        20);
    return outcomes;
}

}  // namespace edgeloop::test
