#include "apps/search_app.hpp"

#include "apps/run_conditions.hpp"
#include "apps/search_console.hpp"
#include "apps/search_pause.hpp"
#include "apps/search_plan.hpp"
#include "apps/search_probe.hpp"
#include "apps/search_task.hpp"

#include "edgeloop/comm/binding.hpp"
#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/dispatch/local_evaluator.hpp"
#include "edgeloop/link/remote_probe.hpp"
#include "edgeloop/store/kept_files.hpp"
#include "edgeloop/store/reuse_cache.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::apps {
namespace {

using cli::SearchConfig;

constexpr double mib = 1024.0 * 1024.0;

Json provenance_of(const SearchConfig& config, const SearchTask& task, int ranks) {
    Json provenance = {{"program", "edgeloop-search"},
                       {"build", build_description()},
                       {"host", host_name()},
                       {"ranks", ranks},
                       {"ranks_per_candidate", config.ranks_per_candidate},
                       {"seed", config.seed},
                       {"space", task.space.name()},
                       {"edge", config.edge == "model" ? "modelled, not measured" : config.edge},
                       {"data", task.data_digest}};
    if (!task.trains_on.empty()) provenance["trains_on"] = task.trains_on;
    return provenance;
}

double time_limit(const SearchConfig& config) {
    return config.time_limit > 0 ? config.time_limit : std::numeric_limits<double>::infinity();
}

// Seconds until SLURM ends the job, less a tenth or a minute for saving; infinity outside a job.
double job_seconds_left() {
    const char* end = std::getenv("SLURM_JOB_END_TIME");
    if (end == nullptr || std::atof(end) <= 0) return std::numeric_limits<double>::infinity();
    const double left = std::atof(end) - 1e-3 * double(unix_milliseconds());
    return std::max(0.0, left - std::min(60.0, 0.1 * left));
}

int stop_signal_number(const SearchConfig& config) {
    if (config.stop_signal == "none") return 0;
    return config.stop_signal == "USR2" ? SIGUSR2 : SIGUSR1;
}

// Of all threads of this process so far.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Everything only rank 0 does.
class Leader {
  public:
    Leader(const SearchConfig& config, const std::string& config_text, const SearchTask& task,
           int ranks)
        : config_(config),
          task_(task),
          engine_(make_engine(task.space, task.engine, task.static_metrics)),
          earlier_(earlier_results()),
          store_options_(store_options(config_text, ranks)) {
        for (const std::string& note : task.notes) log::warning("{}", note);
    }

    /// Makes or opens the run directory. Last of all preparations: a mistake found before it leaves
    /// nothing behind.
    void open_run() { store_.emplace(store_options_); }

    /// @param agent  of this machine; null: there is none.
    /// @param coordinates_only  this process trains nothing itself.
    void search(Evaluator& evaluator, LatencyProbe* probe, LocalAgent* agent,
                bool coordinates_only) {
        SearchOptions options;
        options.max_attempts = config_.max_attempts;
        options.measure_retries = config_.measure_retries;
        options.require_valid = config_.require_valid;
        options.measured = task_.measured;
        options.snapshot_seconds = config_.checkpoint_interval;
        options.time_limit_seconds = std::min(time_limit(config_), job_seconds_left());
        ProgressPrinter printer(task_.engine.goals);
        const KeptFiles kept(config_.run_dir, std::uint64_t(config_.rung_disk * mib));
        RunDirectory& store = *store_;
        StartCosts costs;
        bool looked = false;
        options.tidy = [&](const EngineState& state) {  // called at the start of a resume
            if (!std::exchange(looked, true) && store.resumed()) costs.done_before = state.done;
            return kept.tidy(state);
        };
        options.on_progress = [&](const Progress& progress) {
            if (probe != nullptr) store_->add_devices(probe->devices());
            printer(progress);
        };
        options.should_stop = [] { return stop_signal() != 0; };
        options.gave_up = [&] { return device_gone(probe); };
        options.broken = [agent]() -> std::optional<std::string> {
            if (agent == nullptr || agent->running()) return std::nullopt;
            return "the agent of this machine has ended: its messages are above";
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
                "{} designs of the front have no weights: they were trained before "
                "--save-weights was given",
                missing);
        costs.elapsed_s = steady_seconds() - before;
        costs.storing_s = store.seconds();
        if (coordinates_only) costs.coordinating_s = cpu_seconds() - cpu_before;
        report(result, costs);
    }

  private:
    RunDirectoryOptions store_options(const std::string& config_text, int ranks) const {
        RunDirectoryOptions options;
        options.path = config_.run_dir;
        options.mode = config_.resume ? StartMode::resume : StartMode::fresh;
        options.identity = identity_of(*engine_);
        options.conditions = run_conditions(config_, task_);
        if (config_.resume) options.earlier = conditions_before_records(config_.run_dir);
        options.allow_changed = config_.allow_changed;
        options.config_text = config_text;
        options.provenance = provenance_of(config_, task_, ranks);
        options.space = &task_.space;
        options.objectives = task_.engine.goals.objectives;
        return options;
    }

    [[nodiscard]] ReuseCache earlier_results() const {
        ReuseOptions options;
        options.space = &task_.space;
        options.engine = task_.engine;
        options.conditions = run_conditions(config_, task_);
        options.latencies = config_.edge == "model" || !config_.device_class.empty();
        options.weights = config_.save_weights;
        ReuseCache cache(std::move(options));
        for (const std::string& folder : config_.reuse)
            log::info("{}", cache.add_run(folder, conditions_before_records(folder)).text(folder));
        return cache;
    }

    [[nodiscard]] std::optional<std::string> device_gone(const LatencyProbe* probe) const {
        const auto* remote = dynamic_cast<const RemoteProbe*>(probe);
        if (config_.edge_timeout <= 0 || remote == nullptr ||
            remote->seconds_without_device() <= config_.edge_timeout)
            return std::nullopt;
        return fmt::format("no device that can measure for {} s (--edge-timeout)",
                           config_.edge_timeout);
    }

    void report(const SearchResult& result, const StartCosts& costs) const {
        const Goals& goals = task_.engine.goals;
        if (result.front.empty())
            log::warning("no design came through; evaluations.csv in {} says why", config_.run_dir);
        std::printf("\nPareto front: %zu of %llu designs\n%s", result.front.size(),
                    static_cast<unsigned long long>(result.progress.done),
                    front_table(result.front, goals, task_.space).c_str());
        const auto best = result.progress.best.find("val_rmse");
        if (best != result.progress.best.end() && best->second > 0 && task_.mean_predictor_rmse > 0)
            std::printf("%s\n", comparison_line(best->second, task_.mean_predictor_rmse).c_str());
        std::printf("%s\n", cost_line(result.progress.done, costs).c_str());
        if (result.progress.front_not_valid > 0)
            std::printf("%s\n", not_valid_line(result.progress.front_not_valid).c_str());
        const bool networks = config_.problem.empty() && !result.front.empty();
        std::printf(
            "%s", next_steps(config_.run_dir, std::max(result.progress.total, result.progress.done),
                             networks, config_.save_weights)
                      .c_str());
        std::fflush(stdout);
        if (const auto why = nothing_worked(result.progress)) throw IoError(*why);
    }

    /// A run of which every design failed has an exit code that says so.
    [[nodiscard]] std::optional<std::string> nothing_worked(const Progress& progress) const {
        std::uint64_t failed = 0;
        for (const Status status : {Status::failed, Status::lost, Status::timed_out})
            if (const auto found = progress.by_status.find(status);
                found != progress.by_status.end())
                failed += found->second;
        if (failed == 0 || failed < progress.done) return std::nullopt;
        return fmt::format("all {} designs failed; evaluations.csv in {} says why", failed,
                           config_.run_dir);
    }

    const SearchConfig& config_;
    const SearchTask& task_;
    std::unique_ptr<Engine> engine_;
    ReuseCache earlier_;
    RunDirectoryOptions store_options_;
    std::optional<RunDirectory> store_;
};

// Ends the agent of this machine, if there is one, however the search ends.
struct StopsAgent {
    LocalAgent* agent;
    ~StopsAgent() {
        if (agent != nullptr) agent->stop();
    }
};

/// Searches to the end or until stopped. @return exit code.
/// Neither a stop nor a search in which all fails is the ranks' fault: they leave MPI in order, and
/// mpirun has no abort to report.
int search_or_stop(Leader& leader, Evaluator& evaluator, LatencyProbe* probe, LocalAgent* agent,
                   bool coordinates_only) {
    try {
        leader.search(evaluator, probe, agent, coordinates_only);
    } catch (const Stopped& stopped) {
        log::warning("{}", stopped.what());
        return static_cast<int>(stopped.exit_code());
    } catch (const IoError& error) {
        log::error("{}", error.what());
        return static_cast<int>(error.exit_code());
    }
    return static_cast<int>(ExitCode::done);
}

/// With --edge local no other device will come: what it lacks is a mistake, found before there is a
/// run directory. Waits only where not every device has what is asked for.
void check_local_device(const LatencyProbe& probe, LocalAgent& agent, bool any_class) {
    constexpr double longest_s = 60;
    const double end = steady_seconds() + longest_s;
    const auto unknown = [&] { return probe.lacks() || (!any_class && probe.link().devices == 0); };
    while (unknown() && agent.running() && stop_signal() == 0 && steady_seconds() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

int lead(Leader& leader, const SearchConfig& config, const SearchTask& task, LocalAgent* agent,
         const Communicator& world, const GroupPlan& plan, const WorkerFunction& alone,
         const std::function<double()>& paused_s) {
    const std::unique_ptr<LatencyProbe> probe =
        task.measures_latency ? make_probe(config, agent, task.measured) : nullptr;
    const StopsAgent stops_agent{agent};
    if (probe != nullptr && agent != nullptr)
        check_local_device(*probe, *agent, config.device_class.empty());
    leader.open_run();
    if (world.size() == 1) {
        LocalEvaluator evaluator(alone, config.candidate_limit, paused_s);
        return search_or_stop(leader, evaluator, probe.get(), agent, false);
    }
    DispatchOptions options;
    options.candidate_limit_s = config.candidate_limit;
    options.silence_limit_s = config.silence_limit;
    options.is_large = task.is_large;
    options.paused_s = paused_s;
    GroupEvaluator evaluator(world, plan, options,
                             config.coordinator_trains ? alone : WorkerFunction());
    const int code =
        search_or_stop(leader, evaluator, probe.get(), agent, !config.coordinator_trains);
    if (!evaluator.shutdown()) MpiSession::abort(code);
    return code;
}

// Alone, this process is all the workers there are.
GroupPlan plan_of(const std::vector<RankBinding>& bindings, const SearchConfig& config) {
    if (bindings.size() > 1) {
        GroupPlan plan = plan_groups(bindings, config.ranks_per_candidate);
        if (config.large_ranks > 0)
            plan_blocks(plan,
                        static_cast<std::size_t>(config.large_ranks / config.ranks_per_candidate));
        return plan;
    }
    if (config.large_ranks > 0)
        throw ConfigError(fmt::format("--large-ranks is {}", config.large_ranks),
                          "this process runs alone",
                          fmt::format("start it with mpirun -n {}", config.large_ranks + 1));
    if (config.ranks_per_candidate > 1)
        throw ConfigError(
            fmt::format("--ranks-per-candidate is {}", config.ranks_per_candidate),
            "this process runs alone",
            fmt::format("start it with mpirun -n {}", config.ranks_per_candidate + 1));
    return {};
}

// Whether the user has said that ranks may share cores: to us or to mpirun.
bool may_share_cores() {
    const char* said = std::getenv("EDGELOOP_OVERSUBSCRIBE");
    return (said != nullptr && std::string(said) == "allow") || launcher_may_share_cores();
}

// Says where ranks run, and refuses training ranks that would have to share cores unless the user
// has said that they may.
void check_binding(const std::vector<RankBinding>& bindings, const SearchConfig& config) {
    if (bindings.size() == 1 || !config.problem.empty()) return;
    for (const std::string& line : binding_report(bindings, config.threads)) log::info("{}", line);
    try {
        check_oversubscription(bindings, config.threads, config.coordinator_trains ? 0 : 1);
    } catch (const ConfigError& error) {
        if (!may_share_cores()) throw;
        log::warning("{} ({})", error.problem(), error.why());
    }
}

// A dataset copied to each node, and not everywhere again after it was changed, would have ranks
// train on different data.
void check_same_data(const Communicator& world, const SearchTask& task) {
    const std::vector<std::string> hosts = world.all_gather(host_name());
    const std::vector<std::string> digests = world.all_gather(task.data_digest);
    for (std::size_t rank = 1; rank < digests.size(); ++rank)
        if (digests[rank] != digests[0])
            throw ConfigError(
                fmt::format("rank {} on {} sees another copy of the dataset than rank 0 on {}",
                            rank, hosts[rank], hosts[0]),
                fmt::format("their digests are {} and {}", digests[rank], digests[0]),
                "give all nodes the same shards");
}

// Lets the ranks agree on what they train on and says so. Collective.
void settle_devices(SearchTask& task, const Communicator& world, bool trains) {
    if (!task.training) return;
    std::optional<TrainingDevices> devices;
    try {
        devices = agree_on_devices(world, *task.training, trains);
    } catch (const ConfigError&) {
        if (world.rank() == 0) throw;
        return;  // rank 0 says it and ends the job
    }
    task.trains_on = devices->description();
    task.training->device = devices->device;  // run_conditions() tells what auto came to
    if (world.rank() == 0) log::info("training on {}", task.trains_on);
}

// What this rank made of its input: a task, or a mistake.
struct Input {
    SearchConfig config;
    std::string config_text;
    std::optional<SearchTask> task;
    std::exception_ptr mistake;
};

/// Predicts the run. @return exit code.
int plan_or_stop(const SearchConfig& config, const SearchTask& task, LocalAgent* agent,
                 const Communicator& world) {
    const StopsAgent stops_agent{agent};
    try {
        plan_search(config, task, agent, world, gather_bindings(world));
    } catch (const Stopped&) {
        if (world.rank() == 0) log::warning("the plan was stopped; nothing was kept");
        return world.rank() == 0 ? static_cast<int>(ExitCode::stopped) : 0;
    }
    return static_cast<int>(ExitCode::done);
}

int run(Input& input, LocalAgent* agent, int& argc, char**& argv) {
    const MpiSession session(argc, argv);
    const Communicator world = session.world();
    // A mistake that every rank finds was reported by rank 0, which has ended the job by now; one
    // that only this rank finds, say a folder missing on its node, is told to the others here.
    world.agree("reading the input", [&] {
        if (input.mistake) std::rethrow_exception(input.mistake);
    });
    const SearchConfig& config = input.config;
    const std::string& config_text = input.config_text;
    SearchTask& task = *input.task;
    if (!world.is_same_on_all_ranks(config_text))
        throw ConfigError("the ranks were started with different options", {},
                          "give all of them the same command line and config file");
    check_same_data(world, task);
    if (config.plan) {
        settle_devices(task, world, world.size() == 1 || world.rank() > 0);
        return plan_or_stop(config, task, agent, world);
    }
    // Mistakes that every rank would find are found by rank 0 alone, while the others wait in
    // agree(): one message, and the job ends.
    const std::vector<RankBinding> bindings = gather_bindings(world);
    std::optional<GroupPlan> plan;
    std::optional<Leader> leader;
    if (world.rank() == 0) {
        plan = plan_of(bindings, config);
        check_binding(bindings, config);
    }
    world.agree("forming groups", [&] {
        if (!plan) plan = plan_of(bindings, config);
    });
    const bool trains = world.size() == 1 || plan->group_of(world.rank()) >= 0 ||
                        (world.rank() == 0 && config.coordinator_trains);
    settle_devices(task, world, trains);
    if (world.rank() == 0) leader.emplace(config, config_text, task, world.size());
    WorkerFunction work;
    world.agree("opening the data", [&] {
        if (trains) work = task.make_worker();
    });
    const std::string turns = turns_file(config, agent, world, bindings);
    if (work) work = with_pauses(work, turns);
    if (leader) return lead(*leader, config, task, agent, world, *plan, work, pause_clock(turns));
    serve_candidates(world, *plan, work);
    return static_cast<int>(ExitCode::done);
}

}  // namespace

int search_main(int& argc, char**& argv) {
    const bool leads = launcher_says_rank_zero();
    Input input;
    try {
        if (cli::parse_search_config(argc, argv, leads ? cli::Voice::speaks : cli::Voice::silent,
                                     input.config, input.config_text) == cli::ParseResult::answered)
            return 0;
        input.task = make_search_task(input.config);
    } catch (const Error&) {
        if (leads) throw;
        input.mistake = std::current_exception();
    }
    const SearchConfig& config = input.config;
    if (input.task) {
        log::configure(log::level_from(config.log_level),
                       launched_by_mpi() ? fmt::format("rank {}", launcher_rank()) : "");
        install_stop_handlers(stop_signal_number(config));
    }
    if (config.device != "cpu") claim_cuda_device();
    // Before MPI_Init: starting processes afterwards is unsafe.
    std::optional<LocalAgent> agent;
    if (leads && input.task->measures_latency && config.edge == "local") agent.emplace();
    return run(input, agent ? &*agent : nullptr, argc, argv);
}

}  // namespace edgeloop::apps
