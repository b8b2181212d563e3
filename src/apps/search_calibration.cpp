#include "apps/search_calibration.hpp"

#include "apps/scratch_folder.hpp"
#include "apps/search_probe.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/architecture/latency_model.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/dispatch/local_evaluator.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace edgeloop::apps {
namespace {

using cli::SearchConfig;

constexpr std::size_t most_designs = 24;
constexpr std::size_t designs_measured = 6;
constexpr int train_samples_a_rank = 96;
constexpr int validation_samples_a_rank = 48;
constexpr int few_epochs = 1, more_epochs = 4;  // apart, so that set-up and epochs can be told
constexpr double least_grace_s = 5;             // for what runs when the time is over
constexpr double seconds_between_lines = 5;     // of progress

std::vector<Candidate> first_designs(const SearchTask& task) {
    const std::unique_ptr<Engine> engine =
        make_engine(task.space, task.engine, task.static_metrics);
    std::vector<Candidate> designs;
    while (designs.size() < most_designs) {
        const std::optional<Candidate> next = engine->ask();
        if (!next) break;
        designs.push_back(*next);
    }
    return designs;
}

int capped(int samples, int most) { return samples > 0 ? std::min(samples, most) : most; }

/// The task on so few samples that a training is short, with its files elsewhere: a state that a
/// calibration leaves behind would be taken for one of the run's, or of the next calibration.
SearchConfig short_trainings(SearchConfig config, int ranks, const std::string& folder) {
    config.max_train_samples = capped(config.max_train_samples, train_samples_a_rank * ranks);
    config.max_validation_samples =
        capped(config.max_validation_samples, validation_samples_a_rank * ranks);
    config.save_weights = false;
    config.run_dir = folder;
    return config;
}

std::vector<int> sizes_to_time(int workers, int wanted) {
    std::set<int> sizes{1};
    for (int size = 2; size <= workers; size *= 2) sizes.insert(size);
    if (wanted <= std::max(workers, 1)) sizes.insert(wanted);
    return {sizes.begin(), sizes.end()};
}

/// Ends the calibration on all ranks when rank 0 was asked to stop. Collective.
void stop_if_asked(const Communicator& world) {
    std::string asked = world.rank() == 0 && stop_signal() != 0 ? "stop" : "";
    world.broadcast(asked, 0);
    if (!asked.empty()) throw Stopped("the plan was stopped", "asked to stop");
}

double grace(double seconds) { return std::max(seconds, least_grace_s); }

/// Times trainings through an evaluator, as a search would have them done.
class Stopwatch {
  public:
    Stopwatch(Evaluator& evaluator, std::vector<Candidate> designs, const DataSize& data, int ranks,
              std::size_t at_once)
        : evaluator_(evaluator),
          designs_(std::move(designs)),
          data_(data),
          ranks_(ranks),
          at_once_(at_once) {}

    /// Begins trainings for so many seconds and cuts off those that take too long after that.
    void run(double seconds) {
        const double start = steady_seconds();
        begin_until_ = start + seconds;
        end_at_ = begin_until_ + grace(seconds);
        double next_line = start + seconds_between_lines;
        BackOff pause;
        while (true) {
            while (running_.size() < at_once_ && evaluator_.free_slots() > 0 && submit()) {
            }
            if (running_.empty()) return;
            if (stop_signal() != 0 || steady_seconds() > end_at_) cut_off();
            bool came = false;
            for (const Outcome& outcome : evaluator_.poll()) {
                came = true;
                take(outcome);
            }
            came ? pause.reset() : pause.wait();
            if (steady_seconds() < next_line) continue;
            next_line += seconds_between_lines;
            log::info("plan: {} trainings timed on groups of {} in {:.0f} s", timed_.size(), ranks_,
                      steady_seconds() - start);
        }
    }

    /// Whether anything was timed.
    [[nodiscard]] bool knows() const { return !timed_.empty() || !first_ones_.empty(); }

    void teach(Calibration& calibration) const {
        for (const auto& [load, seconds] : timed_.empty() ? first_ones_ : timed_)
            calibration.training.learn(load, seconds);
        calibration.largest_timed = std::max(calibration.largest_timed, largest_flops_);
        calibration.given_up += given_up_;
        if (!waits_.empty()) calibration.dispatch_seconds = median(waits_);
        if (!errors_.empty()) calibration.errors = error_trend(errors_);
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
        const double now = steady_seconds();
        // Two of each epoch count at least, or set-up and epochs could not be told apart.
        const bool few = next_ < 4 + at_once_;
        if (stop_signal() != 0 || now > (few ? end_at_ : begin_until_)) return false;
        std::optional<Candidate> candidate = choose(end_at_ - now);
        if (!candidate) return false;
        candidate->id = ++next_;
        running_[candidate->id] = {*candidate, now, next_ > at_once_};
        evaluator_.submit(*candidate);
        return true;
    }

    /// The next design that is expected to end in time, at first the smallest.
    std::optional<Candidate> choose(double seconds_left) {
        const int epochs = (next_ + next_ / designs_.size()) % 2 == 0 ? few_epochs : more_epochs;
        if (seconds_a_load_ == 0) {
            Candidate smallest = *std::min_element(
                designs_.begin(), designs_.end(), [](const Candidate& a, const Candidate& b) {
                    return a.known.at("flops") < b.known.at("flops");
                });
            smallest.epochs = few_epochs;
            return smallest;
        }
        for (std::size_t i = 0; i < designs_.size(); ++i) {
            Candidate candidate = designs_[(next_ + i) % designs_.size()];
            for (const int tried : {epochs, few_epochs}) {
                candidate.epochs = tried;
                if (seconds_a_load_ * flops_of(candidate) < seconds_left) return candidate;
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] TrainingLoad load_of(const Candidate& candidate) const {
        return training_load(design_costs(candidate), data_, candidate.epochs, ranks_);
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
            ++given_up_;
            evaluator_.cancel(id);
        }
    }

    /// What a training says about those to come: small ones cost more for each FLOP, so the largest
    /// says most.
    void learn_pace(const Candidate& candidate, double seconds) {
        const double flops = flops_of(candidate);
        if (flops < paced_flops_) return;
        paced_flops_ = flops;
        seconds_a_load_ = seconds / flops;
    }

    void take(const Outcome& outcome) {
        const Submitted submitted = running_.at(outcome.id);
        running_.erase(outcome.id);
        if (outcome.status != Status::completed) {
            if (!submitted.cut_off) {
                log::warning("a design could not be timed: {}", outcome.reason);
                learn_pace(submitted.candidate, steady_seconds() - submitted.at);
            }
            return;
        }
        learn_pace(submitted.candidate, outcome.seconds);
        largest_flops_ = std::max(largest_flops_, submitted.candidate.known.at("flops"));
        const auto error = outcome.metrics.find("val_rmse");
        if (submitted.candidate.epochs == more_epochs && error != outcome.metrics.end() &&
            error->second > 0)
            errors_.push_back({submitted.candidate.known.at("flops"), error->second});
        if (!submitted.counts) {
            first_ones_.emplace_back(load_of(submitted.candidate), outcome.seconds);
            return;
        }
        timed_.emplace_back(load_of(submitted.candidate), outcome.seconds);
        waits_.push_back(steady_seconds() - submitted.at - outcome.seconds);
        log::debug("timed: ranks {}, loads {:.4g}, {:.4f} s, waited {:.4f} s", ranks_,
                   fmt::join(timed_.back().first, " "), outcome.seconds, waits_.back());
    }

    Evaluator& evaluator_;
    std::vector<Candidate> designs_;
    DataSize data_;
    int ranks_;
    std::size_t at_once_;
    std::size_t next_ = 0;
    std::map<CandidateId, Submitted> running_;
    double begin_until_ = 0, end_at_ = 0;
    double paced_flops_ = 0, seconds_a_load_ = 0;  ///< 0: no training has ended yet
    double largest_flops_ = 0;                     ///< of a design that was timed
    std::size_t given_up_ = 0;
    std::vector<std::pair<TrainingLoad, double>> timed_, first_ones_;
    std::vector<double> waits_;
    std::vector<TrainedSize> errors_;
};

/// Times measurements for so many seconds; the first may take its own time on top.
void time_measurements(LatencyProbe& probe, const std::vector<Candidate>& designs,
                       const SearchConfig& config, Calibration& calibration) {
    const std::size_t count = std::min(designs.size(), designs_measured);
    std::map<CandidateId, const Candidate*> waiting;
    for (std::size_t i = 0; i < count; ++i) {
        probe.submit(designs[i]);
        waiting[designs[i].id] = &designs[i];
    }
    const double until = steady_seconds() + config.plan_seconds;
    const double first_until = until + grace(2 * config.measure_seconds);
    std::vector<double> ratios;
    BackOff pause;
    while (!waiting.empty() && stop_signal() == 0 &&
           steady_seconds() < (calibration.measurements > 0 ? until : first_until)) {
        for (const Outcome& outcome : probe.poll()) {
            const auto found = waiting.find(outcome.id);
            if (found == waiting.end()) continue;
            const Candidate& design = *found->second;
            waiting.erase(found);
            const auto latency = outcome.metrics.find("latency_ms");
            if (outcome.status != Status::completed || latency == outcome.metrics.end()) {
                log::warning("a design could not be measured: {}", outcome.reason);
                continue;
            }
            calibration.measuring_seconds += outcome.seconds;
            ++calibration.measurements;
            ratios.push_back(latency->second / analytic_latency_ms(design.design->spec(), {}));
        }
        pause.wait();
    }
    if (calibration.measurements == 0) return;
    calibration.measuring_seconds /= static_cast<double>(calibration.measurements);
    calibration.latency_over_model = median(std::move(ratios));
}

/// How far the timed designs reach.
void note_reach(const std::vector<Candidate>& designs, Calibration& calibration) {
    calibration.designs = designs.size();
    for (const Candidate& design : designs) {
        const double flops = design.known.at("flops");
        calibration.largest_flops = std::max(calibration.largest_flops, flops);
        calibration.not_timed += flops > calibration.largest_timed ? 1 : 0;
    }
}

}  // namespace

int cores_of(const std::vector<RankBinding>& bindings) {
    std::set<std::pair<std::string, int>> cores;
    for (const RankBinding& binding : bindings)
        for (const int cpu : binding.cpus) cores.emplace(binding.host, cpu);
    return std::max(1, static_cast<int>(cores.size()));
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
    return costs;
}

std::string scratch_path(const SearchConfig& config) {
    const std::string run = config.run_dir.empty()
                                ? (std::filesystem::temp_directory_path() / "edgeloop").string()
                                : config.run_dir;
    return fmt::format("{}.plan-{}", run, ::getpid());
}

Calibration calibrate(const SearchConfig& config, const SearchTask& task, const LocalAgent* agent,
                      const Communicator& world, const std::vector<RankBinding>& bindings) {
    Calibration calibration;
    const double start = steady_seconds();
    const int workers = world.size() - 1;
    const int cores = cores_of(bindings);
    const std::vector<Candidate> designs = first_designs(task);
    if (world.rank() == 0 && agent != nullptr && config.plan_device_seconds == 0) {
        log::info("plan: timing measurements");
        time_measurements(*make_probe(config, agent, {}), designs, config, calibration);
    }
    stop_if_asked(world);
    std::string base = scratch_path(config);
    world.broadcast(base, 0);
    for (const int size : sizes_to_time(workers, config.ranks_per_candidate)) {
        std::optional<ScratchFolder> scratch;
        const std::string folder = fmt::format("{}-{}", base, size);
        if (world.rank() == 0) scratch.emplace(folder);
        const SearchTask shortened = make_search_task(short_trainings(config, size, folder));
        const WorkerFunction work = shortened.make_worker();
        bool known = false;
        const auto time = [&](Evaluator& evaluator) {
            log::info("plan: timing trainings on groups of {} for {:g} s", size,
                      config.plan_seconds);
            const auto at_once =
                std::clamp<std::size_t>(static_cast<std::size_t>(cores / (size * config.threads)),
                                        1, evaluator.free_slots());
            Stopwatch stopwatch(evaluator, designs, shortened.data_size, size, at_once);
            stopwatch.run(config.plan_seconds);
            stopwatch.teach(calibration);
            known = stopwatch.knows();
        };
        if (world.size() == 1) {
            LocalEvaluator evaluator(work);
            time(evaluator);
        } else {
            const GroupPlan plan = plan_groups(bindings, size);
            if (world.rank() == 0) {
                GroupEvaluator evaluator(world, plan);
                time(evaluator);
                if (!evaluator.shutdown())
                    throw CommError("a rank does not answer after the calibration");
            } else {
                serve_candidates(world, plan, work);
            }
        }
        if (known) calibration.group_sizes.push_back(size);
        stop_if_asked(world);
    }
    if (world.rank() == 0) {
        if (calibration.training.size() == 0)
            throw ConfigError(
                fmt::format("no training of the first {} designs ended in time to be timed",
                            designs.size()),
                fmt::format("{} were cut off; see the warnings above", calibration.given_up),
                fmt::format("give it more time, e.g. --plan-seconds {:g}",
                            std::max(60.0, 4 * config.plan_seconds)));
        calibration.training.fit();
        note_reach(designs, calibration);
    }
    calibration.seconds = steady_seconds() - start;
    return calibration;
}

}  // namespace edgeloop::apps
