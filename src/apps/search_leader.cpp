#include "apps/search_leader.hpp"

#include "apps/run_conditions.hpp"
#include "apps/search_console.hpp"

#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::apps {
namespace {

constexpr double mib = 1024.0 * 1024.0;

Json provenance_of(const SearchConfig& config, const SearchTask& task, int ranks) {
    Json provenance = {{"program", "edgeloop-search"},
                       {"build", build_description()},
                       {"host", host_name()},
                       {"ranks", ranks},
                       {"ranks_per_candidate", config.ranks_per_candidate},
                       {"seed", config.engine.seed},
                       {"space", task.space.name()},
                       {"edge", config.edge == "model" ? "modelled, not measured" : config.edge},
                       {"data", task.data_digest}};
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

std::uint64_t failures(const Progress& progress) {
    std::uint64_t sum = 0;
    for (const Status status : {Status::failed, Status::lost, Status::timed_out})
        if (const auto found = progress.by_status.find(status); found != progress.by_status.end())
            sum += found->second;
    return sum;
}

// Of all threads of this process so far.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

SearchLeader::SearchLeader(const SearchConfig& config, const SearchTask& task, int ranks)
    : config_(config),
      task_(task),
      engine_(make_engine(task.space, task.engine, task.static_metrics)),
      earlier_(earlier_results()),
      store_options_(store_options(ranks)) {
    for (const std::string& note : task.notes) log::warning("{}", note);
}

SearchOptions SearchLeader::options(const LatencyProbe* probe, LocalAgent* agent) const {
    SearchOptions options = config_.coordination;
    options.measured = task_.measured;
    options.time_limit_seconds = job_seconds_left();
    if (config_.time_limit > 0)
        options.time_limit_seconds = std::min(options.time_limit_seconds, config_.time_limit);
    options.should_stop = [] { return stop_signal() != 0; };
    options.gave_up = [this, probe] { return device_gone(probe); };
    options.broken = [agent]() -> std::optional<std::string> {
        if (agent == nullptr || agent->running()) return std::nullopt;
        return "the agent of this machine has ended: its messages are above";
    };
    return options;
}

void SearchLeader::search(Evaluator& evaluator, LatencyProbe* probe, LocalAgent* agent,
                          bool coordinates_only) {
    SearchOptions options = this->options(probe, agent);
    ProgressPrinter printer(task_.engine.goals);
    const KeptFiles kept(config_.run_dir, std::uint64_t(config_.rung_disk * mib));
    RunDirectory& store = *store_;
    options.tidy = [&](const EngineState& state) { return kept.tidy(state); };
    options.on_progress = [&](const Progress& progress) {
        if (probe != nullptr) store_->add_devices(probe->devices());
        printer(progress);
    };
    if (!config_.reuse.empty())
        options.lookup = [&](Part part, const Candidate& candidate) {
            auto found = earlier_.find(part, candidate);
            if (found && part == Part::training && config_.save_weights)
                kept.adopt(earlier_.weights_of(candidate), candidate.id);
            return found;
        };
    const double cpu_before = cpu_seconds(), before = steady_seconds();
    const SearchResult result = [&] {
        try {
            return run_search(*engine_, evaluator, probe, store, options);
        } catch (const Error&) {
            kept.show(engine_->state().archive.sorted());
            throw;
        }
    }();
    const std::size_t missing = kept.finish(result.front);
    if (config_.save_weights && missing > 0)
        log::warning(
            "{} of the front have no weights: they were trained before --save-weights "
            "was given",
            plural(missing, "design"));
    StartCosts costs;
    costs.done_before = result.progress.done_before;
    costs.elapsed_s = steady_seconds() - before;
    costs.storing_s = store.seconds();
    if (coordinates_only) costs.coordinating_s = cpu_seconds() - cpu_before;
    report(result, costs);
}

RunDirectoryOptions SearchLeader::store_options(int ranks) const {
    RunDirectoryOptions options;
    options.path = config_.run_dir;
    options.mode = config_.resume ? StartMode::resume : StartMode::fresh;
    options.engine = engine_.get();
    options.conditions = run_conditions(config_, task_);
    if (config_.resume) options.earlier = conditions_in_files(config_.run_dir);
    options.allow_changed = config_.allow_changed;
    options.config_text = config_.text;
    options.provenance = provenance_of(config_, task_, ranks);
    return options;
}

ReuseCache SearchLeader::earlier_results() const {
    ReuseOptions options;
    options.space = &task_.space;
    options.engine = task_.engine;
    options.conditions = run_conditions(config_, task_);
    options.latencies = config_.edge == "model" || !config_.probe.device_class.empty();
    options.weights = config_.save_weights;
    ReuseCache cache(std::move(options));
    for (const std::string& folder : config_.reuse)
        log::info("{}", cache.add_run(folder, conditions_in_files(folder)).text(folder));
    return cache;
}

std::optional<std::string> SearchLeader::device_gone(const LatencyProbe* probe) const {
    const auto* remote = dynamic_cast<const RemoteProbe*>(probe);
    if (config_.edge_timeout <= 0 || remote == nullptr ||
        remote->seconds_without_device() <= config_.edge_timeout)
        return std::nullopt;
    return fmt::format("no device that can measure for {} s (--edge-timeout)",
                       config_.edge_timeout);
}

void SearchLeader::report(const SearchResult& result, const StartCosts& costs) const {
    const Progress& progress = result.progress;
    if (result.front.empty())
        log::warning("no design came through; evaluations.csv in {} says why", config_.run_dir);
    fmt::print("\nPareto front: {} of {}\n{}", result.front.size(), plural(progress.done, "design"),
               front_table(result.front, task_.engine.goals, task_.space));
    const auto best = progress.best.find("val_rmse");
    if (best != progress.best.end() && best->second > 0 && task_.mean_predictor_rmse > 0)
        fmt::print("{}\n", comparison_line(best->second, task_.mean_predictor_rmse));
    fmt::print("{}\n", cost_line(progress.done, costs));
    if (progress.front_not_valid > 0) fmt::print("{}\n", not_valid_line(progress.front_not_valid));
    const bool networks = config_.problem.empty() && !result.front.empty();
    fmt::print("{}", next_steps(config_.run_dir, std::max(progress.total, progress.done), networks,
                                config_.save_weights));
    std::fflush(stdout);
    // A run of which every design failed has an exit code that says so.
    const std::uint64_t failed = failures(progress);
    if (failed > 0 && failed >= progress.done)
        throw IoError(fmt::format("all {} designs failed; evaluations.csv in {} says why", failed,
                                  config_.run_dir));
}

}  // namespace edgeloop::apps
