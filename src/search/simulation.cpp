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

std::uint64_t SharedCores::start(double seconds, double cores, std::function<void()> done) {
    advance();
    wanted_ += cores;
    jobs_[++last_job_] = {progress_ + seconds, cores, std::move(done)};
    plan_next();
    return last_job_;
}

void SharedCores::cancel(std::uint64_t job) {
    const auto found = jobs_.find(job);
    if (found == jobs_.end()) return;
    advance();
    wanted_ -= found->second.cores;
    jobs_.erase(found);
    plan_next();
}

double SharedCores::rate() const { return wanted_ > cores_ ? cores_ / wanted_ : 1; }

void SharedCores::advance() {
    progress_ += (clock_.now() - until_) * rate();
    until_ = clock_.now();
}

// Whatever was planned before is void: the rate has changed.
void SharedCores::plan_next() {
    const std::uint64_t plan = ++plan_;
    if (jobs_.empty()) return;
    double end = jobs_.begin()->second.end;
    for (const auto& job : jobs_) end = std::min(end, job.second.end);
    clock_.at(until_ + std::max(0.0, end - progress_) / rate(), [this, plan] {
        if (plan == plan_) finish_due();
    });
}

void SharedCores::finish_due() {
    advance();
    std::vector<std::function<void()>> done;
    for (auto job = jobs_.begin(); job != jobs_.end();) {
        // Progress is a sum, so the end is met to rounding only.
        if (job->second.end > progress_ * (1 + 1e-12) + 1e-12) {
            ++job;
            continue;
        }
        wanted_ -= job->second.cores;
        done.push_back(std::move(job->second.done));
        job = jobs_.erase(job);
    }
    plan_next();
    for (const auto& each : done) each();
}

SimulatedMachines::SimulatedMachines(VirtualClock& clock, std::size_t machines,
                                     std::function<Outcome(const Candidate&)> evaluate)
    : clock_(clock), machines_(machines), evaluate_(std::move(evaluate)) {}

SimulatedMachines::SimulatedMachines(VirtualClock& clock, SharedCores& cores, double cores_each,
                                     std::size_t machines,
                                     std::function<Outcome(const Candidate&)> evaluate)
    : clock_(clock),
      cores_(&cores),
      cores_each_(cores_each),
      machines_(machines),
      evaluate_(std::move(evaluate)) {}

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
    auto end = [this, id = candidate.id, turn = run.turn] { finish(id, turn); };
    if (cores_ == nullptr)
        clock_.at(run.since + run.outcome.seconds, std::move(end));
    else
        run.job = cores_->start(run.outcome.seconds, cores_each_, std::move(end));
}

void SimulatedMachines::finish(CandidateId id, std::uint64_t turn) {
    const auto found = running_.find(id);
    if (found == running_.end() || found->second.turn != turn) return;  // cancelled meanwhile
    found->second.outcome.seconds = clock_.now() - found->second.since;
    done_.push_back(std::move(found->second.outcome));
    end(id);
}

bool SimulatedMachines::cancel(CandidateId id) {
    waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(),
                                  [&](const Candidate& each) { return each.id == id; }),
                   waiting_.end());
    const auto found = running_.find(id);
    if (found == running_.end()) return false;
    done_.push_back({id, Status::cancelled, {}, {}, clock_.now() - found->second.since});
    if (cores_ != nullptr) cores_->cancel(found->second.job);
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

double time_factor(const Candidate& candidate, double sigma) {
    if (sigma == 0) return 1;
    RandomStream random(candidate.seed, "simulated seconds",
                        static_cast<std::uint32_t>(candidate.rung));
    return std::exp(sigma * random.normal() - 0.5 * sigma * sigma);
}

double TrainingNoise::factor(const Candidate& candidate) const {
    RandomStream random(seed, "luck", static_cast<std::uint32_t>(candidate.rung), candidate.id);
    constexpr double least = 0.05;  // an error is not negative
    return std::max(least, 1 + relative * random.normal());
}

}  // namespace edgeloop
