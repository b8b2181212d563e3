#pragma once

#include "edgeloop/search/candidate.hpp"

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
    place,       ///< from a worker: where it is, for the watchdog
    goodbye,     ///< from a worker: it is leaving
};

[[nodiscard]] std::string encode_candidates(const std::vector<Candidate>& candidates);
[[nodiscard]] std::vector<Candidate> decode_candidates(const std::string& bytes);
[[nodiscard]] std::string encode_outcomes(const std::vector<Outcome>& outcomes);
[[nodiscard]] std::vector<Outcome> decode_outcomes(const std::string& bytes);
[[nodiscard]] std::string encode_id(CandidateId id);
[[nodiscard]] CandidateId decode_id(const std::string& bytes);

}  // namespace edgeloop
