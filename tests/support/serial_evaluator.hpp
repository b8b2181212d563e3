#pragma once

#include "edgeloop/core/error.hpp"
#include "edgeloop/evaluation/interfaces.hpp"

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {

inline Outcome evaluate_or_fail(const std::function<Outcome(const Candidate&)>& evaluate,
                                const Candidate& candidate) {
    try {
        return evaluate(candidate);
    } catch (const LogicError&) {
        throw;
    } catch (const Error& error) {
        return {candidate.id, Status::failed, {}, error.what()};
    }
}

/// Evaluates in this process, one candidate per poll().
class SerialEvaluator : public Evaluator {
  public:
    /// @param evaluate  may throw Error: the candidate has then failed.
    explicit SerialEvaluator(std::function<Outcome(const Candidate&)> evaluate)
        : evaluate_(std::move(evaluate)) {}

    [[nodiscard]] std::size_t free_slots() const override { return queue_.empty() ? 1 : 0; }
    void submit(const Candidate& candidate) override { queue_.push_back(candidate); }
    /// A candidate that has not started is cancelled; a running one cannot be.
    void cancel(CandidateId id) override {
        for (auto each = queue_.begin(); each != queue_.end(); ++each)
            if (each->id == id) {
                cancelled_.push_back({id, Status::cancelled, {}, "cancelled before it started"});
                queue_.erase(each);
                return;
            }
    }
    [[nodiscard]] std::vector<Outcome> poll() override {
        std::vector<Outcome> outcomes = std::exchange(cancelled_, {});
        if (queue_.empty()) return outcomes;
        const Candidate candidate = std::move(queue_.front());
        queue_.pop_front();
        outcomes.push_back(evaluate_or_fail(evaluate_, candidate));
        return outcomes;
    }

  private:
    std::function<Outcome(const Candidate&)> evaluate_;
    std::deque<Candidate> queue_;
    std::vector<Outcome> cancelled_;
};

/// Answers at the next poll() with the value of a function.
class ImmediateProbe : public LatencyProbe {
  public:
    /// @param name  shown as the state of the link.
    ImmediateProbe(std::function<Outcome(const Candidate&)> measure, std::string name)
        : measure_(std::move(measure)), name_(std::move(name)) {}

    void submit(const Candidate& candidate) override {
        done_.push_back(evaluate_or_fail(measure_, candidate));
    }
    void cancel(CandidateId) override {}
    [[nodiscard]] std::vector<Outcome> poll() override { return std::exchange(done_, {}); }
    [[nodiscard]] LinkState link() const override { return {name_, true, 0}; }

  private:
    std::function<Outcome(const Candidate&)> measure_;
    std::string name_;
    std::vector<Outcome> done_;
};

}  // namespace edgeloop
