#include "edgeloop/planning/calibration.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/architecture/latency_model.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_designs = 24;
constexpr std::size_t designs_measured = 6;
constexpr int few_epochs = 1, more_epochs = 4;  // apart, so that set-up and epochs can be told
constexpr double min_grace_s = 5;               // for what runs when the time is over
constexpr double seconds_between_lines = 5;     // of progress

double flops_of_clip(const Candidate& candidate) { return candidate.known.at("flops"); }

bool is_smaller(const Candidate& a, const Candidate& b) {
    return flops_of_clip(a) < flops_of_clip(b);
}

double grace(double seconds) { return std::max(seconds, min_grace_s); }

/// Times trainings of the designs in groups of one size.
class TrainingTimer {
  public:
    TrainingTimer(Evaluator& evaluator, const TimedBy& by, const TimedGroups& groups,
                  Calibration& calibration)
        : evaluator_(evaluator), by_(by), groups_(groups), calibration_(calibration) {}

    void run(double seconds) {
        const double start = by_.clock->now();
        begin_until_ = start + seconds;
        end_at_ = begin_until_ + grace(seconds);
        double next_line = start + seconds_between_lines;
        while (true) {
            while (running_.size() < groups_.at_once && evaluator_.free_slots() > 0 && submit()) {
            }
            if (running_.empty()) break;
            if (by_.should_stop() || by_.clock->now() > end_at_) cut_off();
            const std::vector<Outcome> outcomes = evaluator_.poll();
            for (const Outcome& outcome : outcomes) take(outcome);
            outcomes.empty() ? by_.clock->idle() : by_.clock->busy();
            if (by_.clock->now() < next_line) continue;
            next_line += seconds_between_lines;
            log::info("plan: {} timed on groups of {} in {:.0f} s",
                      plural(timed_.size(), "training"), groups_.ranks, by_.clock->now() - start);
        }
        calibration_.trainings_took += by_.clock->now() - start;
        for (const auto& [load, took] : timed_.empty() ? first_ones_ : timed_)
            calibration_.training.learn(load, took);
        if (!waits_.empty()) calibration_.dispatch_seconds = median(waits_);
        if (!errors_.empty()) calibration_.errors = error_trend(errors_);
        if (!timed_.empty() || !first_ones_.empty())
            calibration_.group_sizes.push_back(groups_.ranks);
    }

  private:
    struct Submitted {
        Candidate candidate;
        double at = 0;
        bool counts = false;
        bool cut_off = false;
    };

    /// Begins one more training if there is time for it.
    bool submit() {
        const double now = by_.clock->now();
        // Two of each epoch count at least, or set-up and epochs could not be told apart.
        const bool few = next_ < 4 + groups_.at_once;
        if (by_.should_stop() || now > (few ? end_at_ : begin_until_)) return false;
        std::optional<Candidate> candidate = choose(end_at_ - now);
        if (!candidate) return false;
        candidate->id = ++next_;
        running_[candidate->id] = {*candidate, now, next_ > groups_.at_once};
        evaluator_.submit(*candidate);
        return true;
    }

    /// The next design that is expected to end in time, at first the smallest.
    std::optional<Candidate> choose(double seconds_left) {
        const std::vector<Candidate>& designs = calibration_.designs;
        const int epochs = (next_ + next_ / designs.size()) % 2 == 0 ? few_epochs : more_epochs;
        if (seconds_a_flop_ == 0) {
            Candidate smallest = *std::min_element(designs.begin(), designs.end(), is_smaller);
            smallest.epochs = few_epochs;
            return smallest;
        }
        for (std::size_t i = 0; i < designs.size(); ++i) {
            Candidate candidate = designs[(next_ + i) % designs.size()];
            for (const int tried : {epochs, few_epochs}) {
                candidate.epochs = tried;
                if (seconds_a_flop_ * flops_of(candidate) < seconds_left) return candidate;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] TrainingLoad load_of(const Candidate& candidate) const {
        return training_load(design_costs(candidate), groups_.data, candidate.epochs,
                             groups_.ranks);
    }

    /// Of the whole training.
    [[nodiscard]] double flops_of(const Candidate& candidate) const {
        return std::max(1.0, load_of(candidate)[1]);
    }

    /// Asks everything that runs to end.
    void cut_off() {
        for (auto& [id, submitted] : running_) {
            if (submitted.cut_off) continue;
            submitted.cut_off = true;
            ++calibration_.given_up;
            evaluator_.cancel(id);
        }
    }

    /// What a training says about those to come: small ones cost more for each FLOP, so the largest
    /// says most.
    void learn_pace(const Candidate& candidate, double seconds) {
        const double flops = flops_of(candidate);
        if (flops < paced_flops_) return;
        paced_flops_ = flops;
        seconds_a_flop_ = seconds / flops;
    }

    void take(const Outcome& outcome) {
        const Submitted submitted = running_.at(outcome.id);
        running_.erase(outcome.id);
        const double took = by_.clock->now() - submitted.at;
        if (outcome.status != Status::completed) {
            if (submitted.cut_off) return;
            log::warning("a design could not be timed: {}", outcome.reason);
            return learn_pace(submitted.candidate, took);
        }
        learn_pace(submitted.candidate, outcome.seconds);
        const double flops = flops_of_clip(submitted.candidate);
        calibration_.max_timed = std::max(calibration_.max_timed, flops);
        const auto error = outcome.metrics.find("val_rmse");
        if (submitted.candidate.epochs == more_epochs && error != outcome.metrics.end() &&
            error->second > 0)
            errors_.push_back({flops, error->second});
        (submitted.counts ? timed_ : first_ones_)
            .emplace_back(load_of(submitted.candidate), outcome.seconds);
        if (!submitted.counts) return;
        waits_.push_back(took - outcome.seconds);
        log::debug("timed: ranks {}, loads {:.4g}, {:.4f} s, waited {:.4f} s", groups_.ranks,
                   fmt::join(timed_.back().first, " "), outcome.seconds, waits_.back());
    }

    Evaluator& evaluator_;
    const TimedBy& by_;
    const TimedGroups& groups_;
    Calibration& calibration_;
    std::size_t next_ = 0;
    std::map<CandidateId, Submitted> running_;
    double begin_until_ = 0, end_at_ = 0;
    double paced_flops_ = 0, seconds_a_flop_ = 0;  ///< 0: no training has ended yet
    std::vector<std::pair<TrainingLoad, double>> timed_, first_ones_;
    std::vector<double> waits_;
    std::vector<TrainedSize> errors_;
};

}  // namespace

ErrorTrend error_trend(const std::vector<TrainedSize>& designs) {
    ErrorTrend trend;
    if (designs.size() < 3) return trend;
    const auto n = static_cast<double>(designs.size());
    double size_mean = 0, error_mean = 0;
    for (const TrainedSize& each : designs) {
        size_mean += std::log10(each.flops) / n;
        error_mean += std::log(each.error) / n;
    }
    double sizes = 0, both = 0, errors = 0;  // sums of squares and products around the means
    for (const TrainedSize& each : designs) {
        const double size = std::log10(each.flops) - size_mean;
        const double error = std::log(each.error) - error_mean;
        sizes += size * size;
        both += size * error;
        errors += error * error;
    }
    if (sizes == 0) return trend;
    trend.gain = std::max(0.0, -both / sizes);
    trend.scatter =
        std::sqrt(std::max(0.0, errors + trend.gain * (2 * both + trend.gain * sizes)) / n);
    return trend;
}

double Calibration::max_flops() const {
    const auto largest = std::max_element(designs.begin(), designs.end(), is_smaller);
    return largest == designs.end() ? 0 : flops_of_clip(*largest);
}

std::size_t Calibration::not_timed() const {
    return static_cast<std::size_t>(std::count_if(
        designs.begin(), designs.end(),
        [this](const Candidate& design) { return flops_of_clip(design) > max_timed; }));
}

DesignCosts design_costs(const Candidate& candidate) {
    const ArchitectureSpec& spec = candidate.design->spec();
    const ModelCounts counts = count(spec);
    DesignCosts costs;
    costs.flops = static_cast<double>(counts.flops);
    costs.layers = static_cast<double>(counts.layers.size());
    costs.clip_values = static_cast<double>(spec.clip.frames) * spec.clip.side * spec.clip.side;
    costs.parameters = static_cast<double>(counts.parameters);
    costs.batch = spec.training.batch;
    const int at_once = spec.training.at_once(costs.batch);
    costs.parts = (costs.batch + at_once - 1) / at_once;
    return costs;
}

std::vector<Candidate> first_designs(Engine& engine) {
    std::vector<Candidate> designs;
    while (designs.size() < max_designs) {
        const std::optional<Candidate> next = engine.ask();
        if (!next) break;
        designs.push_back(*next);
    }
    return designs;
}

std::vector<int> sizes_to_time(int workers, int wanted) {
    std::set<int> sizes{1};
    for (int size = 2; size <= workers; size *= 2) sizes.insert(size);
    if (wanted <= std::max(workers, 1)) sizes.insert(wanted);
    return {sizes.begin(), sizes.end()};
}

void time_trainings(Evaluator& evaluator, const TimedBy& by, const TimedGroups& groups,
                    double seconds, Calibration& calibration) {
    if (calibration.designs.empty()) return;
    TrainingTimer(evaluator, by, groups, calibration).run(seconds);
}

void time_measurements(LatencyProbe& probe, const TimedBy& by, double seconds, double first_s,
                       Calibration& calibration) {
    std::map<CandidateId, const Candidate*> waiting;
    for (const Candidate& design : calibration.designs) {
        if (waiting.size() == designs_measured) break;
        probe.submit(design);
        waiting[design.id] = &design;
    }
    const double until = by.clock->now() + seconds;
    std::vector<double> ratios;
    std::size_t done = 0;
    while (!waiting.empty() && !by.should_stop() &&
           by.clock->now() < until + (done == 0 ? grace(first_s) : 0)) {
        for (const Outcome& outcome : probe.poll()) {
            const auto found = waiting.find(outcome.id);
            if (found == waiting.end()) continue;
            const ArchitectureSpec& spec = found->second->design->spec();
            waiting.erase(found);
            if (outcome.status != Status::completed) {
                log::warning("a design could not be measured: {}", outcome.reason);
                continue;
            }
            ++done;
            calibration.measuring_seconds += outcome.seconds;
            // Simulated hardware has none: its cycles follow from the design.
            const auto latency = outcome.metrics.find("latency_ms");
            if (latency == outcome.metrics.end()) continue;
            ratios.push_back(latency->second / analytic_latency_ms(spec, DeviceModel{}));
        }
        by.clock->idle();
    }
    if (done == 0) return;
    calibration.measurements = done;
    calibration.measuring_seconds /= static_cast<double>(done);
    if (!ratios.empty()) calibration.latency_over_model = median(ratios);
}

}  // namespace edgeloop
