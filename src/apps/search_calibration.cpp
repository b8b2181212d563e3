#include "apps/search_calibration.hpp"

#include "apps/scratch_folder.hpp"
#include "apps/search_probe.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/dispatch/local_evaluator.hpp"
#include "edgeloop/model/counts.hpp"
#include "edgeloop/model/latency_model.hpp"

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
constexpr double measuring_limit_s = 60;        // until a device must have answered

ArchitectureSpec spec_of(const Candidate& candidate) {
    return ArchitectureSpec::from_json(parse_json(candidate.spec, "candidate"), "candidate");
}

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

    void run(double seconds) {
        const double until = steady_seconds() + seconds;
        BackOff pause;
        // Two of each epoch count at least, or set-up and epochs could not be told apart.
        while (running_.size() > 0 || next_ < 4 + at_once_ || steady_seconds() < until) {
            const bool more = next_ < 4 + at_once_ || steady_seconds() < until;
            while (more && running_.size() < at_once_ && evaluator_.free_slots() > 0) submit();
            bool came = false;
            for (const Outcome& outcome : evaluator_.poll()) {
                came = true;
                take(outcome);
            }
            came ? pause.reset() : pause.wait();
        }
    }

    void teach(Calibration& calibration) const {
        for (const auto& [load, seconds] : timed_) calibration.training.learn(load, seconds);
        if (!waits_.empty()) calibration.dispatch_seconds = median(waits_);
        if (!errors_.empty()) calibration.errors = error_trend(errors_);
    }

  private:
    struct Submitted {
        Candidate candidate;
        double at = 0;
        bool counts = false;
    };

    static double median(std::vector<double> values) {
        std::sort(values.begin(), values.end());
        return values[values.size() / 2];
    }

    void submit() {
        Candidate candidate = designs_[next_ % designs_.size()];
        candidate.epochs = (next_ + next_ / designs_.size()) % 2 == 0 ? few_epochs : more_epochs;
        candidate.id = ++next_;
        running_[candidate.id] = {candidate, steady_seconds(), next_ > at_once_};
        evaluator_.submit(candidate);
    }

    void take(const Outcome& outcome) {
        const Submitted submitted = running_.at(outcome.id);
        running_.erase(outcome.id);
        if (outcome.status != Status::completed) {
            log::warning("a design could not be timed: {}", outcome.reason);
            return;
        }
        const auto error = outcome.metrics.find("val_rmse");
        if (submitted.candidate.epochs == more_epochs && error != outcome.metrics.end() &&
            error->second > 0)
            errors_.push_back({submitted.candidate.known.at("flops"), error->second});
        if (!submitted.counts) return;
        timed_.emplace_back(training_load(design_costs(submitted.candidate), data_,
                                          submitted.candidate.epochs, ranks_),
                            outcome.seconds);
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
    std::vector<std::pair<TrainingLoad, double>> timed_;
    std::vector<double> waits_;
    std::vector<TrainedSize> errors_;
};

void time_measurements(LatencyProbe& probe, const std::vector<Candidate>& designs,
                       Calibration& calibration) {
    const std::size_t count = std::min(designs.size(), designs_measured);
    std::map<CandidateId, const Candidate*> waiting;
    for (std::size_t i = 0; i < count; ++i) {
        probe.submit(designs[i]);
        waiting[designs[i].id] = &designs[i];
    }
    const double until = steady_seconds() + measuring_limit_s;
    std::vector<double> ratios;
    BackOff pause;
    while (!waiting.empty() && steady_seconds() < until) {
        for (const Outcome& outcome : probe.poll()) {
            const Candidate& design = *waiting.at(outcome.id);
            waiting.erase(outcome.id);
            const auto latency = outcome.metrics.find("latency_ms");
            if (outcome.status != Status::completed || latency == outcome.metrics.end()) continue;
            calibration.measuring_seconds += outcome.seconds;
            ++calibration.measurements;
            ratios.push_back(latency->second / analytic_latency_ms(spec_of(design), DeviceModel{}));
        }
        pause.wait();
    }
    if (calibration.measurements == 0)
        throw CommError("no design could be measured for the plan", {},
                        "give the time of a measurement with --plan-device-seconds");
    calibration.measuring_seconds /= static_cast<double>(calibration.measurements);
    std::sort(ratios.begin(), ratios.end());
    calibration.latency_over_model = ratios[ratios.size() / 2];
}

}  // namespace

int cores_of(const std::vector<RankBinding>& bindings) {
    std::set<std::pair<std::string, int>> cores;
    for (const RankBinding& binding : bindings)
        for (const int cpu : binding.cpus) cores.emplace(binding.host, cpu);
    return std::max(1, static_cast<int>(cores.size()));
}

DesignCosts design_costs(const Candidate& candidate) {
    const ArchitectureSpec spec = spec_of(candidate);
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
    if (world.rank() == 0 && agent != nullptr && config.plan_device_seconds == 0)
        time_measurements(*make_probe(config, agent), designs, calibration);
    std::string base = scratch_path(config);
    world.broadcast(base, 0);
    for (const int size : sizes_to_time(workers, config.ranks_per_candidate)) {
        std::optional<ScratchFolder> scratch;
        const std::string folder = fmt::format("{}-{}", base, size);
        if (world.rank() == 0) scratch.emplace(folder);
        const SearchTask shortened = make_search_task(short_trainings(config, size, folder));
        const WorkerFunction work = shortened.make_worker();
        const auto time = [&](Evaluator& evaluator) {
            const auto at_once =
                std::clamp<std::size_t>(static_cast<std::size_t>(cores / (size * config.threads)),
                                        1, evaluator.free_slots());
            Stopwatch stopwatch(evaluator, designs, shortened.data_size, size, at_once);
            stopwatch.run(config.plan_seconds);
            stopwatch.teach(calibration);
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
        calibration.group_sizes.push_back(size);
    }
    if (world.rank() == 0) {
        if (calibration.training.size() == 0)
            throw ConfigError("none of the first designs could be trained",
                              "see the warnings above");
        calibration.training.fit();
    }
    calibration.seconds = steady_seconds() - start;
    return calibration;
}

}  // namespace edgeloop::apps
