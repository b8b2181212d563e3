#pragma once

#include "edgeloop/evaluation/interfaces.hpp"

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace edgeloop {

/// Evaluates in this process, one candidate per poll(): for runs without worker ranks.
class SerialEvaluator : public Evaluator {
  public:
    /// @param evaluate  may throw Error: the candidate has then failed with its text as the reason.
    explicit SerialEvaluator(std::function<Outcome(const Candidate&)> evaluate);

    [[nodiscard]] std::size_t free_slots() const override { return queue_.empty() ? 1 : 0; }
    void submit(const Candidate& candidate) override { queue_.push_back(candidate); }
    /// A candidate that has not started is cancelled; a running one cannot be.
    void cancel(CandidateId id) override;
    [[nodiscard]] std::vector<Outcome> poll() override;

  private:
    std::function<Outcome(const Candidate&)> evaluate_;
    std::deque<Candidate> queue_;
    std::vector<Outcome> cancelled_;
};

/// Answers at the next poll() with the value of a function: for modelled latency.
class ImmediateProbe : public LatencyProbe {
  public:
    /// @param name  shown as the state of the link, e.g. "modelled".
    ImmediateProbe(std::function<Outcome(const Candidate&)> measure, std::string name);

    void submit(const Candidate& candidate) override;
    void cancel(CandidateId) override {}
    [[nodiscard]] std::vector<Outcome> poll() override;
    [[nodiscard]] LinkState link() const override { return {name_, true, 0}; }
    [[nodiscard]] std::vector<std::string> devices() const override { return {}; }

  private:
    std::function<Outcome(const Candidate&)> measure_;
    std::string name_;
    std::vector<Outcome> done_;
};

}  // namespace edgeloop
