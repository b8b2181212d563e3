#include "apps/search_leader.hpp"

#include "apps/search_console.hpp"

#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/store/tensorboard.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace edgeloop::apps {
namespace {

constexpr double seconds_between_lines = 5;  // of progress

void print_json(const Json& json) {
    std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    std::fflush(stdout);
}

/// Shows progress on stdout: a line that rewrites itself on a terminal, a new line every few
/// seconds elsewhere; as JSON, or not at all, if asked for.
class ProgressPrinter {
  public:
    ProgressPrinter(const SearchConfig& config, const Goals& goals)
        : quiet_(config.quiet), json_(config.json), goals_(goals) {}

    void operator()(const Progress& progress) {
        const bool last = progress.phase != "running";
        const double now = steady_seconds();
        if (quiet_ || (!shows_all() && !last && now < next_)) return;
        next_ = now + seconds_between_lines;
        if (json_) {
            if (progress.phase != "finished") print_json(status_json(progress));
            return;
        }
        const std::string line = progress_line(progress, goals_);
        if (terminal_) {
            std::printf("\r%-*s%s", static_cast<int>(width_), line.c_str(), last ? "\n" : "");
            width_ = line.size();
        } else {
            std::printf("%s\n", line.c_str());
        }
        std::fflush(stdout);
    }

  private:
    [[nodiscard]] bool shows_all() const { return terminal_ && !json_; }

    bool quiet_, json_;
    const Goals& goals_;
    // mpirun gives its ranks a pseudo-terminal even when its own output goes to a file.
    bool terminal_ = ::isatty(STDOUT_FILENO) != 0 && !launched_by_mpi();
    double next_ = 0;
    std::size_t width_ = 0;
};

std::string who_measures(const SearchConfig& config, const SearchTask& task) {
    if (task.make_probe) return "table, not measured";
    return config.edge == "model" ? "modelled, not measured" : config.edge;
}

Json provenance_of(const SearchConfig& config, const SearchTask& task, int ranks) {
    Json provenance = {{"program", "edgeloop-search"},
                       {"build", build_description()},
                       {"host", host_name()},
                       {"ranks", ranks},
                       {"ranks_per_candidate", config.ranks_per_candidate},
                       {"seed", config.engine.seed},
                       {"space", task.space.name()},
                       {"edge", who_measures(config, task)},
                       {"data", task.data_digest}};
    if (!task.crop.empty()) provenance["crop"] = task.crop;
    if (!task.trains_on.empty()) provenance["trains_on"] = task.trains_on;
    return provenance;
}

// Seconds until SLURM ends the job, less a tenth or a minute for saving; infinity outside a job.
double job_seconds_left() {
    const char* end = std::getenv("SLURM_JOB_END_TIME");
    if (end == nullptr || std::atof(end) <= 0) return std::numeric_limits<double>::infinity();
    const double left = std::atof(end) - 1e-3 * double(unix_milliseconds());
    return std::max(0.0, left - std::min(60.0, 0.1 * left));
}

// Of all threads of this process so far.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// The longest that a class of devices has been without one that can measure, and which it is.
std::pair<double, std::string> max_without_device(const Probes& probes) {
    std::pair<double, std::string> longest;
    for (const auto& [name, probe] : probes)
        if (const auto* const remote = dynamic_cast<const RemoteProbe*>(probe))
            longest = std::max(longest, std::pair(remote->seconds_without_device(), name));
    return longest;
}

SearchOptions options_of(const SearchConfig& config, const SearchTask& task, const Probes& probes,
                         LocalAgent* agent) {
    SearchOptions options = config.coordination;
    options.measured = task.measured;
    if (task.training)
        options.refuse_trained = [&targets = task.targets](const Metrics& metrics) {
            return refusal(metrics, Source::training, &targets);
        };
    constexpr int usual = 4;
    const bool measures_elsewhere = task.make_probe != nullptr ||
                                    parse_edge_option(config.edge).mode != EdgeOption::Mode::local;
    options.measure_ahead = config.measure_ahead >= 0 ? config.measure_ahead
                            : measures_elsewhere      ? usual
                                                      : 0;
    // It answers at once: no training need begin that is then cancelled.
    options.measure_first = task.make_probe != nullptr;
    options.time_limit_seconds = job_seconds_left();
    if (config.time_limit > 0)
        options.time_limit_seconds = std::min(options.time_limit_seconds, config.time_limit);
    options.should_stop = [] { return stop_signal() != 0; };
    const double limit_s = config.edge_timeout;
    options.gave_up = [limit_s, probes]() -> std::optional<std::string> {
        if (limit_s <= 0) return std::nullopt;
        const auto [seconds, name] = max_without_device(probes);
        if (seconds <= limit_s) return std::nullopt;
        return fmt::format("no device{} that can measure for {} s (--edge-timeout)",
                           name.empty() ? "" : fmt::format(" of class '{}'", name), limit_s);
    };
    options.broken = [agent]() -> std::optional<std::string> {
        if (agent == nullptr || agent->running()) return std::nullopt;
        return "the agent of this machine has ended: its messages are above";
    };
    return options;
}

RunDirectoryOptions store_options(const SearchConfig& config, const SearchTask& task,
                                  const Engine& engine, int ranks) {
    RunDirectoryOptions options;
    options.path = config.run_dir;
    options.mode = config.resume ? StartMode::resume : StartMode::fresh;
    options.engine = &engine;
    options.conditions = run_conditions(config, task);
    if (config.resume) options.earlier = conditions_in_files(config.run_dir);
    options.allow_changed = config.allow_changed;
    options.config_text = config.text;
    options.provenance = provenance_of(config, task, ranks);
    options.access = access_of(config);
    return options;
}

ReuseCache earlier_results(const SearchConfig& config, const SearchTask& task) {
    ReuseOptions options;
    options.space = &task.space;
    options.engine = task.engine;
    options.conditions = run_conditions(config, task);
    // Any device's are not; of classes that are named each has its own.
    options.latencies =
        config.edge == "model" || !config.classes.begin()->second.device_class.empty();
    options.weights = config.save_weights;
    options.measured = task.measured;
    options.members = task.targets;
    for (const auto& each : config.classes)
        for (std::string& batch : batch_members(each.second.settings))
            options.members.push_back(std::move(batch));
    ReuseCache cache(std::move(options));
    for (const std::string& folder : config.reuse)
        log::info("{}", cache.add_run(folder, conditions_in_files(folder)).text(folder));
    return cache;
}

/// What lets the run go on, for people; empty: it is over.
std::string way_on(const SearchTask& task, const Progress& progress) {
    if (progress.virtual_seconds) return {};  // its clock does not go on
    Budget twice = task.engine.budget;
    twice.amount *= 2;
    // With both limits the one that was met is raised.
    const bool by_budget = twice.limits() && progress.done < task.engine.evaluations;
    return by_budget
               ? "--budget " + to_string(twice)
               : fmt::format("{} for --evaluations", 2 * std::max(progress.total, progress.done));
}

void print_result(const SearchConfig& config, const SearchTask& task, const SearchResult& result,
                  const StartCosts& costs) {
    const Progress& progress = result.progress;
    fmt::print("\nPareto front: {} of {}\n{}", result.front.size(), plural(progress.done, "design"),
               front_table(result.front, task.engine.goals, task.space));
    fmt::print("{}", confirmation_lines(progress, config.engine.confirm));
    if (progress.hypervolume)
        fmt::print("hypervolume {:.4g} up to the reference point {:.4g}\n", *progress.hypervolume,
                   fmt::join(progress.reference, ", "));
    fmt::print("{}", baseline_lines(result.front));
    fmt::print("{}\n", cost_line(progress.done, costs));
    if (progress.virtual_seconds)
        fmt::print("simulated: {:.6g} virtual seconds with {}\n", *progress.virtual_seconds,
                   plural(config.simulated_workers, "worker"));
    if (progress.front_not_valid > 0)
        fmt::print(
            "{} of the front could not be measured validly: their core was disturbed or their "
            "median is uncertain (latency_valid 0 in pareto.csv); --require-valid leaves such "
            "designs "
            "out\n",
            progress.front_not_valid);
}

void report(const SearchConfig& config, const SearchTask& task, const SearchResult& result,
            const StartCosts& costs) {
    const Progress& progress = result.progress;
    if (result.front.empty() && progress.left_unconfirmed > 0)
        log::warning(
            "no design was confirmed: --confirm {} takes more trainings than there were "
            "designs; give more of them, or a smaller --confirm",
            config.engine.confirm);
    else if (result.front.empty())
        log::warning("no design came through; evaluations.csv in {} says why", config.run_dir);
    const std::string shards =
        config.problem.empty() && !result.front.empty() ? config.training.shards : std::string();
    const std::vector<NextStep> steps = next_steps(config.run_dir, shards);
    if (config.json && !config.quiet) {
        Json json = status_json(progress);
        json["run_dir"] = config.run_dir;
        for (const NextStep& step : steps) json["next"].push_back(step.command);
        print_json(json);
    } else if (!config.quiet) {
        print_result(config, task, result, costs);
        fmt::print("{}", closing_lines(config.run_dir, steps, way_on(task, progress)));
        std::fflush(stdout);
    }
    // A run of which every design failed has an exit code that says so.
    std::map<Status, std::uint64_t> ended = progress.by_status;  // missing ones become 0
    const std::uint64_t failed =
        ended[Status::failed] + ended[Status::lost] + ended[Status::timed_out];
    if (failed > 0 && failed >= progress.done)
        throw IoError(fmt::format("all {} designs failed; evaluations.csv in {} says why", failed,
                                  config.run_dir));
}

}  // namespace

SearchLeader::SearchLeader(const SearchConfig& config, const SearchTask& task, int ranks)
    : config_(config),
      task_(task),
      engine_(make_engine(task.space, task.engine, task.static_metrics)),
      earlier_(earlier_results(config, task)),
      store_options_(store_options(config, task, *engine_, ranks)) {
    if (!task.about.empty()) log::info("{}", task.about);
    for (const std::string& note : task.notes) log::warning("{}", note);
    if (task.engine.kind == EngineKind::model_based)
        log::info(
            "a model of all results chooses what is trained next, for any number of workers; what "
            "it chooses depends on the order in which they finish (--engine generational: not)");
    const std::vector<std::string>& objectives = task.engine.goals.objectives;
    const bool trained = std::any_of(objectives.begin(), objectives.end(), [](const auto& name) {
        const Metric* metric = find_metric(name);
        return metric != nullptr && metric->source == Source::training;
    });
    if (task.engine.confirm > 0 && trained)
        log::info(
            "each design that would be a member of the front is trained {} more times with other "
            "seeds, at most {} in all (--confirm)",
            task.engine.confirm,
            task.engine.evaluations == no_limit
                ? std::string("as many trainings as there are designs")
                : plural(task.engine.evaluations, "training"));
}

void SearchLeader::search(Evaluator& evaluator, const Probes& probes, LocalAgent* agent,
                          bool coordinates_only, SearchClock* clock) {
    SearchOptions options = options_of(config_, task_, probes, agent);
    options.clock = clock;
    // Limits are in real seconds, and a simulation takes few of them.
    if (clock != nullptr) options.time_limit_seconds = std::numeric_limits<double>::infinity();
    ProgressPrinter printer(config_, task_.engine.goals);
    const KeptFiles kept(config_.run_dir, std::uint64_t(config_.rung_disk * bytes_per_mib),
                         access_of(config_));
    std::optional<TensorBoardStore> board;
    if (config_.tensorboard)
        board.emplace(*store_, config_.run_dir + "/tensorboard", access_of(config_));
    RunStore& store = board ? static_cast<RunStore&>(*board) : *store_;
    options.tidy = [&](const EngineState& state) { return kept.tidy(state); };
    options.show = [&](const std::vector<ArchiveMember>& front) { kept.show(front); };
    options.on_progress = [&](const Progress& progress) {
        for (const auto& each : probes) store_->add_devices(each.second->devices());
        printer(progress);
    };
    if (!config_.reuse.empty())
        options.lookup = [&](const Part& part, const Candidate& candidate) {
            auto found = earlier_.find(part, candidate);
            if (found && part.kind == Part::training && config_.save_weights)
                kept.adopt(earlier_.weights_of(candidate), candidate.id);
            return found;
        };
    const double cpu_before = cpu_seconds(), before = steady_seconds();
    const SearchResult result = run_search(*engine_, evaluator, probes, store, options);
    const std::size_t missing = kept.finish(result.front);
    if (config_.save_weights && missing > 0)
        log::warning(
            "{} of the front have no weights: they were trained before --save-weights "
            "was given",
            plural(missing, "design"));
    StartCosts costs;
    costs.done_before = result.progress.done_before;
    costs.elapsed_s = steady_seconds() - before;
    costs.storing_s = store_->seconds();
    if (coordinates_only) costs.coordinating_s = cpu_seconds() - cpu_before;
    report(config_, task_, result, costs);
}

}  // namespace edgeloop::apps
