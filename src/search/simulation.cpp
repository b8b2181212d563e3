#include "edgeloop/search/simulation.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace edgeloop {

void VirtualClock::idle() {
    EDGELOOP_EXPECT(!agenda_.empty(), "nothing is left to happen in the simulation");
    const auto next = agenda_.begin();
    now_ = std::max(now_, next->first);
    const std::function<void()> what = std::move(next->second);
    agenda_.erase(next);
    what();
}

void VirtualClock::at(double time, std::function<void()> what) {
    agenda_.emplace(time, std::move(what));
}

SimulatedMachines::SimulatedMachines(VirtualClock& clock, std::size_t machines,
                                     std::function<Outcome(const Candidate&)> evaluate)
    : clock_(clock), machines_(machines), evaluate_(std::move(evaluate)) {}

void SimulatedMachines::submit(const Candidate& candidate) {
    if (idle_machines() > 0)
        start(candidate);
    else
        waiting_.push_back(candidate);
}

void SimulatedMachines::start(const Candidate& candidate) {
    advance_area();
    Running& run = running_[candidate.id];
    run.since = last_start_ = clock_.now();
    area_at_start_ = area_;
    run.turn = ++turns_;
    run.outcome = evaluate_(candidate);
    clock_.at(run.since + run.outcome.seconds,
              [this, id = candidate.id, turn = run.turn] { finish(id, turn); });
}

void SimulatedMachines::finish(CandidateId id, std::uint64_t turn) {
    const auto found = running_.find(id);
    if (found == running_.end() || found->second.turn != turn) return;  // cancelled meanwhile
    done_.push_back(std::move(found->second.outcome));
    end(id);
}

bool SimulatedMachines::cancel(CandidateId id) {
    waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(),
                                  [&](const Candidate& each) { return each.id == id; }),
                   waiting_.end());
    const auto found = running_.find(id);
    if (found == running_.end()) return false;
    Outcome outcome;
    outcome.id = id;
    outcome.status = Status::cancelled;
    outcome.seconds = clock_.now() - found->second.since;
    done_.push_back(std::move(outcome));
    end(id);
    return true;
}

void SimulatedMachines::end(CandidateId id) {
    advance_area();
    spent_ += clock_.now() - running_.at(id).since;
    running_.erase(id);
    if (waiting_.empty()) return;
    const Candidate next = std::move(waiting_.front());
    waiting_.pop_front();
    start(next);
}

std::vector<Outcome> SimulatedMachines::poll() { return std::exchange(done_, {}); }

void SimulatedMachines::advance_area() {
    area_ += static_cast<double>(running_.size()) * (clock_.now() - area_until_);
    area_until_ = clock_.now();
}

double SimulatedMachines::utilisation() const {
    return last_start_ > 0 ? area_at_start_ / (static_cast<double>(machines_) * last_start_) : 1;
}

double DurationModel::draw(const char* purpose, const Candidate& candidate) const {
    RandomStream random(seed, purpose, static_cast<std::uint32_t>(candidate.rung), candidate.id);
    return mean_seconds * std::exp(sigma * random.normal() - 0.5 * sigma * sigma);
}

}  // namespace edgeloop
