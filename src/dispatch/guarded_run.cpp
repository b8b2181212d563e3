#include "guarded_run.hpp"

#include "edgeloop/core/clock.hpp"

#include <exception>

#include <fmt/format.h>

namespace edgeloop {

Outcome guarded_run(const WorkerFunction& run, const Candidate& candidate,
                    const Communicator& group, const CancelToken& token) {
    Outcome outcome;
    const double start = steady_seconds();
    try {
        outcome = run(candidate, group, token);
    } catch (const std::exception& error) {
        outcome.status = Status::failed;
        outcome.metrics.clear();
        outcome.reason = error.what();
    }
    outcome.id = candidate.id;
    outcome.seconds = steady_seconds() - start;
    return outcome;
}

std::string past_limit_text(double limit_s) {
    return fmt::format("not done after {} s, the limit", limit_s);
}

Outcome cancelled_before_start(CandidateId id) {
    Outcome outcome;
    outcome.id = id;
    outcome.status = Status::cancelled;
    outcome.reason = "cancelled before it began";
    return outcome;
}

}  // namespace edgeloop
