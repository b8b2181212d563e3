#pragma once

#include "edgeloop/dispatch/worker.hpp"

#include <string>

namespace edgeloop {

/// Runs the function on this rank; whatever it throws becomes a failed outcome, or a lost one when
/// the system is to blame. Sets id and seconds.
[[nodiscard]] Outcome guarded_run(const WorkerFunction& run, const Candidate& candidate,
                                  const Communicator& group, const CancelToken& token);

/// Reason of a candidate that was ended because it took longer than this.
[[nodiscard]] std::string past_limit_text(double limit_s);

/// Outcome of a candidate that was cancelled before it began.
[[nodiscard]] Outcome cancelled_before_start(CandidateId id);

}  // namespace edgeloop
