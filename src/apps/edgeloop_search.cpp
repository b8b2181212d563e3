#include "apps/rank_binding.hpp"
#include "apps/search_edge.hpp"
#include "apps/search_leader.hpp"
#include "apps/search_simulation.hpp"
#include "apps/search_task.hpp"

#include "edgeloop/comm/binding.hpp"
#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/dispatch/local_evaluator.hpp"
#include "edgeloop/link/remote_probe.hpp"
#include "edgeloop/model/threads.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::apps {
namespace {

// From here on trainings are under way, and a stop saves them. What has no trainings is in the
// journal.
void take_time_to_stop(const SearchConfig& config) {
    if (config.problem.empty()) limit_stopping(0);
}

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
int search_or_stop(const std::function<void()>& search) {
    try {
        search();
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
void check_local_device(const Probes& probes, LocalAgent& agent, bool any_class) {
    constexpr double max_s = 60;
    const double end = steady_seconds() + max_s;
    const auto unknown = [&] {
        return std::any_of(probes.begin(), probes.end(), [&](const auto& each) {
            return each.second->lacks() || (!any_class && each.second->link().devices == 0);
        });
    };
    while (unknown() && agent.running() && stop_signal() == 0 && steady_seconds() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

int lead(SearchLeader& leader, const SearchConfig& config, const SearchTask& task,
         LocalAgent* agent, const Communicator& world, const GroupPlan& plan,
         const WorkerFunction& alone, const std::function<double()>& paused_s) {
    OwnProbes own;
    if (task.make_probe)
        own[""] = task.make_probe();
    else if (task.measures_latency)
        own = make_probes(config, agent, task.measured);
    const Probes probes = in_use(own);
    const StopsAgent stops_agent{agent};
    if (!probes.empty() && agent != nullptr)
        check_local_device(probes, *agent, config.classes.begin()->second.device_class.empty());
    take_time_to_stop(config);
    leader.open_store();
    if (config.simulated_workers > 0)
        return search_or_stop([&] { simulate_search(leader, config, task, probes); });
    if (world.size() == 1) {
        const auto evaluator =
            make_local_evaluator(alone, config.dispatch.candidate_limit_s, paused_s,
                                 config.engine.kind != EngineKind::generational);
        return search_or_stop([&] { leader.search(*evaluator, probes, agent, false); });
    }
    DispatchOptions options = config.dispatch;
    options.is_large = task.is_large;
    options.paused_s = paused_s;
    options.one_at_a_time = config.engine.kind == EngineKind::model_based;
    GroupEvaluator evaluator(world, plan, options,
                             config.coordinator_trains ? alone : WorkerFunction());
    const int code = search_or_stop(
        [&] { leader.search(evaluator, probes, agent, !config.coordinator_trains); });
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
    for (const auto& [option, ranks] : {std::pair("--large-ranks", config.large_ranks),
                                        {"--ranks-per-candidate", config.ranks_per_candidate}})
        if (ranks > 1)
            throw ConfigError(fmt::format("{} is {}", option, ranks), "this process runs alone",
                              fmt::format("start it with mpirun -n {}", ranks + 1));
    return {};
}

// A virtual clock is one process's own.
void check_alone(const SearchConfig& config, const Communicator& world) {
    if (config.simulated_workers > 0 && world.size() > 1)
        throw ConfigError(fmt::format("--simulate-workers was started on {} ranks", world.size()),
                          "a simulated search runs in one process", "start it without mpirun");
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
    SearchTask& task = *input.task;
    if (!world.is_same_on_all_ranks(config.text))
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
    std::optional<SearchLeader> leader;
    if (world.rank() == 0) {
        check_alone(config, world);
        plan = plan_of(bindings, config);
        if (config.problem.empty())
            report_binding(bindings, config.training.threads, config.coordinator_trains ? 0 : 1);
        if (task.measures_latency) check_tails(config, task.measured, bindings);
    }
    world.agree("forming groups", [&] {
        if (!plan) plan = plan_of(bindings, config);
    });
    const bool trains = world.size() == 1 || plan->group_of(world.rank()) >= 0 ||
                        (world.rank() == 0 && config.coordinator_trains);
    settle_devices(task, world, trains);
    if (world.rank() == 0) leader.emplace(config, task, world.size());
    WorkerFunction work;
    world.agree("opening the data", [&] {
        if (trains) work = task.make_worker();
    });
    const std::string turns = turns_file(config, agent, world, bindings);
    if (work) work = with_pauses(work, turns);
    if (leader) return lead(*leader, config, task, agent, world, *plan, work, pause_clock(turns));
    take_time_to_stop(config);
    serve_candidates(world, *plan, work);
    return static_cast<int>(ExitCode::done);
}

/// edgeloop-search on this rank: rank 0 leads the search, every other rank trains. @return exit
/// code.
int search_main(int& argc, char**& argv) {
    const bool leads = launcher_rank() == 0;
    Input input;
    try {
        if (!parse_search_config(argc, argv, input.config, leads)) return 0;
        input.task = make_search_task(input.config);
    } catch (const Error&) {
        if (leads) throw;
        input.mistake = std::current_exception();
    }
    const SearchConfig& config = input.config;
    if (input.task) {
        log::configure(
            log::level_from(config.quiet && config.log_level == "info" ? "warning"
                                                                       : config.log_level),
            launched_by_mpi() ? fmt::format("rank {}", launcher_rank()) : "");
        install_stop_handlers(config.stop_signal);
        limit_stopping();
    }
    if (config.training.device != Device::cpu) claim_cuda_device();
    // Before MPI_Init: starting processes afterwards is unsafe.
    std::optional<LocalAgent> agent;
    if (leads && input.task->measures_latency && config.edge == "local")
        agent.emplace(local_classes(config));
    return run(input, agent ? &*agent : nullptr, argc, argv);
}

}  // namespace
}  // namespace edgeloop::apps

int main(int argc, char** argv) {
    edgeloop::restart_with_short_spinning(argv);
    return edgeloop::run_program([&] { return edgeloop::apps::search_main(argc, argv); },
                                 edgeloop::MpiSession::abort);
}
