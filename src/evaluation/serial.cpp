#include "edgeloop/evaluation/serial.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <utility>

namespace edgeloop {
namespace {

Outcome evaluate_or_fail(const std::function<Outcome(const Candidate&)>& evaluate,
                         const Candidate& candidate) {
    try {
        return evaluate(candidate);
    } catch (const LogicError&) {
        throw;
    } catch (const Error& error) {
        return {candidate.id, Status::failed, {}, error.what()};
    }
}

}  // namespace

SerialEvaluator::SerialEvaluator(std::function<Outcome(const Candidate&)> evaluate)
    : evaluate_(std::move(evaluate)) {}

void SerialEvaluator::cancel(CandidateId id) {
    const auto waiting = std::find_if(queue_.begin(), queue_.end(),
                                      [&](const Candidate& each) { return each.id == id; });
    if (waiting == queue_.end()) return;
    cancelled_.push_back({id, Status::cancelled, {}, "cancelled before it started"});
    queue_.erase(waiting);
}

std::vector<Outcome> SerialEvaluator::poll() {
    std::vector<Outcome> outcomes = std::exchange(cancelled_, {});
    if (!queue_.empty()) {
        const Candidate candidate = std::move(queue_.front());
        queue_.pop_front();
        outcomes.push_back(evaluate_or_fail(evaluate_, candidate));
    }
    return outcomes;
}

ImmediateProbe::ImmediateProbe(std::function<Outcome(const Candidate&)> measure, std::string name)
    : measure_(std::move(measure)), name_(std::move(name)) {}

void ImmediateProbe::submit(const Candidate& candidate) {
    done_.push_back(evaluate_or_fail(measure_, candidate));
}

std::vector<Outcome> ImmediateProbe::poll() { return std::exchange(done_, {}); }

}  // namespace edgeloop
