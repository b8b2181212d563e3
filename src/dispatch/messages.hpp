#pragma once

#include "edgeloop/evaluation/candidate.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// Tags of the messages between coordinator and workers. All ranks run the same program, so the
/// payloads carry no version.
enum class MessageTag : int {
    assign = 1,  ///< to a leader: candidates to evaluate, in order
    cancel,      ///< to a leader: id of a candidate to end early
    shutdown,    ///< to every worker: no more candidates
    results,     ///< from a leader: outcomes
    heartbeat,   ///< from a worker: where it is, for the watchdog
    ended,       ///< from a worker: it has shut down
};

/// Work for a group.
struct Assignment {
    std::vector<Candidate> candidates;
    bool joined = false;  ///< all groups of the block train the one candidate together
};

[[nodiscard]] std::string encode_assignment(const Assignment& assignment);
[[nodiscard]] Assignment decode_assignment(const std::string& bytes);
[[nodiscard]] std::string encode_outcomes(const std::vector<Outcome>& outcomes);
[[nodiscard]] std::vector<Outcome> decode_outcomes(const std::string& bytes);
[[nodiscard]] std::string encode_id(CandidateId id);
[[nodiscard]] CandidateId decode_id(const std::string& bytes);

}  // namespace edgeloop
