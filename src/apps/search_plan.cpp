#include "apps/search_edge.hpp"
#include "apps/search_task.hpp"
#include "training/memory_budget.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/dispatch/local_evaluator.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/link/measurement.hpp"
#include "edgeloop/planning/planner.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop::apps {
namespace {

constexpr std::size_t train_samples_a_rank = 96, validation_samples_a_rank = 48;
constexpr double first_circuit_s = 120;  // tools compile, then simulate; a plan waits no longer
constexpr double max_simulating_s = 10;  // for each group size; --plan-seconds if less

/// A folder that is deleted with everything in it, before and after. Made by whoever writes to it.
class ScratchFolder {
  public:
    explicit ScratchFolder(std::string path) : path_(std::move(path)) { remove(); }
    ~ScratchFolder() { remove(); }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;

  private:
    void remove() const {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string path_;
};

/// Since the system started this process, loading of libraries included; 0 if it does not say.
double process_age_seconds() {
    std::ifstream stat("/proc/self/stat");
    std::ifstream uptime("/proc/uptime");
    std::string text;
    double up_s = 0;
    if (!std::getline(stat, text) || !(uptime >> up_s)) return 0;
    // Fields after the name in brackets, which may hold anything; the 20th is the start in ticks.
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string field;
    for (int i = 0; i < 20; ++i) fields >> field;
    return std::max(0.0,
                    up_s - std::atof(field.c_str()) / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

/// Path for the files of this process's plan: beside the run's, so that the same disk is timed.
std::string scratch_path(const SearchConfig& config) {
    const std::string run = config.run_dir.empty()
                                ? (std::filesystem::temp_directory_path() / "edgeloop").string()
                                : config.run_dir;
    return fmt::format("{}.plan-{}", run, ::getpid());
}

/// CPUs that these ranks may use together.
int cores_of(const std::vector<RankBinding>& bindings) {
    std::set<std::pair<std::string, int>> cores;
    for (const RankBinding& binding : bindings)
        for (const int cpu : binding.cpus) cores.emplace(binding.host, cpu);
    return std::max(1, static_cast<int>(cores.size()));
}

std::size_t capped(std::size_t samples, std::size_t a_rank, int ranks) {
    const std::size_t most = a_rank * static_cast<std::size_t>(ranks);
    return samples > 0 ? std::min(samples, most) : most;
}

/// The task on so few samples that a training is short, with its files elsewhere: a state that a
/// calibration leaves behind would be taken for one of the run's, or of the next calibration.
SearchConfig short_trainings(SearchConfig config, int ranks, const std::string& folder) {
    TrainingSettings& training = config.training;
    training.max_train_samples = capped(training.max_train_samples, train_samples_a_rank, ranks);
    training.max_validation_samples =
        capped(training.max_validation_samples, validation_samples_a_rank, ranks);
    config.save_weights = false;
    config.run_dir = folder;
    return config;
}

class Plan {
  public:
    Plan(const SearchConfig& config, const SearchTask& task, const LocalAgent* agent,
         const Communicator& world, const std::vector<RankBinding>& bindings)
        : config_(config), task_(task), agent_(agent), world_(world), bindings_(bindings) {}

    /// Collective. The result is of use on rank 0.
    void calibrate() {
        const double start = steady_seconds();
        calibration_.designs = first_designs(*engine());
        if (world_.rank() == 0 && agent_ != nullptr && config_.plan_device_seconds == 0) {
            log::info("plan: timing measurements");
            time_classes(make_probes(config_, agent_, {}));
        }
        stop_if_asked();
        std::string folder = scratch_path(config_);
        world_.broadcast(folder, 0);
        for (const int size : sizes_to_time(world_.size() - 1, config_.ranks_per_candidate)) {
            time_trainings(size, fmt::format("{}-{}", folder, size));
            stop_if_asked();
        }
        calibration_.seconds = steady_seconds() - start;
        if (world_.rank() != 0) return;
        if (calibration_.training.size() == 0)
            throw ConfigError(
                fmt::format("no training of the first {} designs ended in time to be timed",
                            calibration_.designs.size()),
                fmt::format("{} were cut off; see the warnings above", calibration_.given_up),
                fmt::format("give it more time, e.g. --plan-seconds {:g}",
                            std::max(60.0, 4 * config_.plan_seconds)));
        calibration_.training.fit();
    }

    [[nodiscard]] Json predict(double start_up_s) const {
        PlannedRun run = planned_run(start_up_s);
        check_plan(run, calibration_);
        RunDirectoryOptions options;
        options.path = scratch_path(config_) + "-run";
        const ScratchFolder scratch(options.path);
        const std::unique_ptr<Engine> owner = engine();
        options.engine = owner.get();
        const auto store = open_run(options);
        run.storing_seconds =
            time_storing(run, calibration_, *store, [&] { return store->seconds(); });
        return make_plan(run, calibration_);
    }

  private:
    [[nodiscard]] std::unique_ptr<Engine> engine() const {
        // The errors that a plan makes up say nothing of how large they are.
        EngineSettings settings = task_.engine;
        std::vector<Constraint>& limits = settings.goals.constraints;
        limits.erase(std::remove_if(limits.begin(), limits.end(),
                                    [](const Constraint& limit) {
                                        const Metric* metric = find_metric(limit.metric);
                                        return metric != nullptr &&
                                               metric->source == Source::training;
                                    }),
                     limits.end());
        return make_engine(task_.space, std::move(settings), task_.static_metrics);
    }

    /// Ends the calibration on all ranks when rank 0 was asked to stop. Collective.
    void stop_if_asked() const {
        std::string asked = world_.rank() == 0 && stop_signal() != 0 ? "stop" : "";
        world_.broadcast(asked, 0);
        if (!asked.empty()) throw Stopped("the plan was stopped", "asked to stop");
    }

    /// One class after the other; the slowest counts.
    /// What the slowest class takes counts, and the ratio of the slowest that has one.
    void time_classes(const OwnProbes& probes) {
        double slowest_timed_s = 0;
        for (const auto& [name, probe] : probes) {
            Calibration timed;
            timed.designs = calibration_.designs;
            const MeasurementSettings& settings = config_.classes.at(name).settings;
            time_measurements(
                *probe, by_, config_.plan_seconds,
                is_simulated(settings.runtime) ? first_circuit_s : 2 * settings.time_budget_s,
                timed);
            if (timed.latency_over_model && timed.measuring_seconds >= slowest_timed_s) {
                slowest_timed_s = timed.measuring_seconds;
                calibration_.latency_over_model = timed.latency_over_model;
            }
            if (timed.measurements == 0 || timed.measuring_seconds < calibration_.measuring_seconds)
                continue;
            calibration_.measurements = timed.measurements;
            calibration_.measuring_seconds = timed.measuring_seconds;
        }
    }

    /// Seconds that the slowest class may take for a measurement.
    [[nodiscard]] double time_budget() const {
        double longest = 0;
        for (const auto& each : config_.classes)
            longest = std::max(longest, each.second.settings.time_budget_s);
        return longest;
    }

    void time_trainings(int size, const std::string& folder) {
        std::optional<ScratchFolder> scratch;
        if (world_.rank() == 0) scratch.emplace(folder);
        const SearchTask task = make_search_task(short_trainings(config_, size, folder));
        const WorkerFunction work = task.make_worker();
        const auto time = [&](Evaluator& evaluator) {
            log::info("plan: timing trainings on groups of {} for {:g} s", size,
                      config_.plan_seconds);
            const auto fit =
                static_cast<std::size_t>(cores_of(bindings_) / (size * config_.training.threads));
            const TimedGroups groups{task.data_size, size,
                                     std::clamp<std::size_t>(fit, 1, evaluator.free_slots())};
            edgeloop::time_trainings(evaluator, by_, groups, config_.plan_seconds, calibration_);
        };
        if (world_.size() == 1) return time(*make_local_evaluator(work));
        const GroupPlan plan = plan_groups(bindings_, size);
        if (world_.rank() > 0) return serve_candidates(world_, plan, work);
        GroupEvaluator evaluator(world_, plan);
        time(evaluator);
        if (!evaluator.shutdown()) throw CommError("a rank does not answer after the calibration");
    }

    [[nodiscard]] PlannedRun planned_run(double start_up_s) const {
        const int launched = world_.size(), here = cores_of(bindings_);
        PlannedRun run;
        run.make_engine = [this] { return engine(); };
        run.data = task_.data_size;
        run.ranks = config_.plan_ranks > 0 ? config_.plan_ranks : launched;
        run.ranks_per_candidate = config_.ranks_per_candidate;
        run.threads = config_.training.threads;
        // Of a larger allocation: enough, because there a rank gets its own.
        run.machines.cores = config_.plan_cores > 0  ? config_.plan_cores
                             : run.ranks <= launched ? here
                                                     : std::max(here, run.ranks * run.threads);
        if (task_.measures_latency) {
            run.machines.devices = static_cast<std::size_t>(config_.plan_devices);
            run.machines.classes = names_of(config_.classes);
            run.machines.devices_share = config_.edge == "local" && run.ranks <= launched;
        }
        if (task_.measures_latency && config_.edge != "model") {
            run.measuring_assumed =
                config_.plan_device_seconds == 0 && calibration_.measurements == 0;
            run.measuring_seconds = config_.plan_device_seconds > 0 ? config_.plan_device_seconds
                                    : run.measuring_assumed         ? time_budget()
                                                            : calibration_.measuring_seconds;
        }
        run.start_up_seconds = start_up_s;
        run.unfit = share_without_memory(run.ranks);
        run.simulating_seconds = std::min(max_simulating_s, config_.plan_seconds);
        run.by = by_;
        return run;
    }

    /// Share of designs, as the search begins with them, that need more memory than a rank has.
    [[nodiscard]] double share_without_memory(int ranks) const {
        constexpr std::size_t designs = 200;
        const double limit = memory_share_bytes(std::min(ranks, MpiSession::ranks_on_node()));
        RandomStream random(config_.engine.seed, "plan memory");
        std::size_t unfit = 0, seen = 0;
        for (std::size_t i = 0; i < designs; ++i) {
            const DesignPtr design = task_.space.try_decode(task_.space.sample(random)).design;
            if (!design) continue;
            ++seen;
            unfit += training_bytes(design->counts(), design->spec().training) > limit ? 1 : 0;
        }
        return seen > 0 ? static_cast<double>(unfit) / static_cast<double>(seen) : 0;
    }

    const SearchConfig& config_;
    const SearchTask& task_;
    const LocalAgent* agent_;
    const Communicator& world_;
    const std::vector<RankBinding>& bindings_;
    SystemClock clock_;
    TimedBy by_{&clock_, [] { return stop_signal() != 0; }};
    Calibration calibration_;
};

}  // namespace

void plan_search(const SearchConfig& config, const SearchTask& task, const LocalAgent* agent,
                 const Communicator& world, const std::vector<RankBinding>& bindings) {
    const double start_up_s = process_age_seconds();  // a run needs its start as well
    Plan plan(config, task, agent, world, bindings);
    plan.calibrate();
    if (world.rank() != 0) return;
    const Json json = plan.predict(start_up_s);
    const std::string text = config.json ? json.dump(2) + '\n' : plan_text(json);
    std::printf("%s", text.c_str());
    std::fflush(stdout);
}

}  // namespace edgeloop::apps
