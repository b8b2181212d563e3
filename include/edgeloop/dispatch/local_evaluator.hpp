#pragma once

#include "edgeloop/dispatch/worker.hpp"
#include "edgeloop/evaluation/interfaces.hpp"

#include <memory>

namespace edgeloop {

/// Evaluates candidates one after the other in a thread of this process: the whole search without
/// mpirun. The function gets a communicator of one rank.
class LocalEvaluator : public Evaluator {
  public:
    /// @param candidate_limit_s  a candidate running longer is cancelled and has timed out; 0: none
    /// @param paused_s  as in DispatchOptions.
    explicit LocalEvaluator(WorkerFunction run, double candidate_limit_s = 0,
                            std::function<double()> paused_s = {});
    /// Cancels what is running and waits for it.
    ~LocalEvaluator() override;

    [[nodiscard]] std::size_t free_slots() const override;
    void submit(const Candidate& candidate) override;
    void cancel(CandidateId id) override;
    [[nodiscard]] std::vector<Outcome> poll() override;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop
