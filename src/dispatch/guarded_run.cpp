#include "guarded_run.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <exception>
#include <string>
#include <system_error>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_reason = 4096;  ///< bytes

void end_badly(Outcome& outcome, Status status, const std::string& reason) {
    outcome.status = status;
    outcome.metrics.clear();
    outcome.reason = reason;
}

}  // namespace

Outcome guarded_run(const WorkerFunction& run, const Candidate& candidate,
                    const Communicator& group, const CancelToken& token) {
    Outcome outcome;
    const double start = steady_seconds();
    try {
        outcome = run(candidate, group, token);
    } catch (const Error& error) {
        const bool ours = error.exit_code() == ExitCode::environment;
        end_badly(outcome, ours ? Status::lost : Status::failed, error.what());
    } catch (const std::system_error& error) {  // of files and threads
        end_badly(outcome, Status::lost, error.what());
    } catch (const std::exception& error) {
        end_badly(outcome, Status::failed, error.what());
    } catch (...) {
        end_badly(outcome, Status::failed, "something was thrown that is no exception");
    }
    outcome.id = candidate.id;
    // Of libraries, with names of files in it: from here on it is a line for tables and logs.
    outcome.reason = beginning(printable(outcome.reason), max_reason);
    // Who evaluates may know better: what it paused for a measurement is no work.
    if (outcome.seconds <= 0) outcome.seconds = steady_seconds() - start;
    return outcome;
}

std::string past_limit_text(double limit_s) {
    return fmt::format("not done after {} s, the limit", limit_s);
}

Outcome cancelled_before_start(CandidateId id) {
    return {id, Status::cancelled, {}, "cancelled before it began"};
}

}  // namespace edgeloop
