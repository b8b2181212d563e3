#pragma once

#include "edgeloop/dispatch/worker.hpp"

namespace edgeloop {

/// Runs the function on this rank; whatever it throws becomes a failed outcome. Sets id and
/// seconds.
[[nodiscard]] Outcome guarded_run(const WorkerFunction& run, const Candidate& candidate,
                                  const Communicator& group, const CancelToken& token);

/// Outcome of a candidate that was cancelled before it began.
[[nodiscard]] Outcome cancelled_before_start(CandidateId id);

}  // namespace edgeloop
