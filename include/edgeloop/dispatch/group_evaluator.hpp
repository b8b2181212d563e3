#pragma once

#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/dispatch/groups.hpp"
#include "edgeloop/dispatch/worker.hpp"
#include "edgeloop/evaluation/interfaces.hpp"

#include <cstddef>
#include <functional>
#include <memory>

namespace edgeloop {

/// When a group is to blame for what fails on it; see src/dispatch/README.md.
struct AccountLimits {
    double quick_s = 1;            ///< a failure within this may be the group's
    std::size_t in_a_row = 3;      ///< such failures after which a group gets no new work
    std::size_t groups_tried = 3;  ///< on so many, or all, a candidate must fail to be to blame
    double probe_after_s = 10;     ///< until a group without work is tried again; doubles each time
    double probe_at_most_s = 600;
};

/// What the coordinator tolerates.
struct DispatchOptions {
    double candidate_limit_s = 0;  ///< a candidate running longer is cancelled; 0: no limit
    /// Seconds so far in which candidates had to pause, which no limit counts; empty: none.
    std::function<double()> paused_s = {};
    double silence_limit_s =
        600;                     ///< a group that tells nothing for this long has stalled; 0: never
    double cancel_grace_s = 60;  ///< time to obey a cancellation before the group has stalled
    double shutdown_limit_s = 20;         ///< time for the workers to leave at shutdown
    double stalled_shutdown_limit_s = 3;  ///< the same when only stalled ones have not left
    /// Which candidates a whole block of groups trains together; a function of the candidate alone,
    /// so that its result does not depend on who was idle. Empty: none. Needs blocks in the plan.
    std::function<bool(const Candidate&)> is_large;
    AccountLimits accounts;
    /// A group holds one candidate however short they are: for an engine that chooses each by the
    /// results so far, and takes longer to choose than a message takes.
    bool one_at_a_time = false;
};

/// Evaluates candidates on worker groups; lives on rank 0.
///
/// Each idle group gets one candidate; groups whose candidates take milliseconds get a queue whose
/// depth follows from the measured time, so that messages do not limit the rate.
/// A large candidate waits for a whole block of groups, which takes no other work meanwhile. A
/// candidate past its limit is cancelled and reported as timed out. A group that has stalled is
/// given up: what it ran has timed out, what it had not begun is lost, and the others go on without
/// it. What fails at once is tried on other groups before it counts, and a group that fails what
/// others complete is taken out until it completes a candidate.
class GroupEvaluator : public Evaluator {
  public:
    /// REQUIRES: on rank 0, while every other rank calls serve_candidates() with the same plan.
    /// @param own_work  when given, rank 0 evaluates candidates too, in a thread and alone,
    /// whenever
    ///                  all groups are busy: for small allocations with groups of one rank.
    GroupEvaluator(const Communicator& world, const GroupPlan& plan,
                   const DispatchOptions& options = {}, WorkerFunction own_work = {});
    /// As shutdown().
    ~GroupEvaluator() override;

    [[nodiscard]] std::size_t free_slots() const override;
    void submit(const Candidate& candidate) override;
    void cancel(CandidateId id) override;
    [[nodiscard]] bool waits(CandidateId id) const override;
    /// @throws CommError  every group has stalled.
    [[nodiscard]] std::vector<Outcome> poll() override;

    /// Shuts all workers down; candidates still running are cancelled and their outcomes dropped.
    /// False when a rank did not answer in time: MPI then cannot be finalised, so end the job with
    /// MpiSession::abort().
    bool shutdown();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop
