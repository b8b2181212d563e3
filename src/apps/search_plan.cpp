#include "apps/search_plan.hpp"

#include "apps/scratch_folder.hpp"
#include "apps/search_console.hpp"
#include "training/memory_budget.hpp"

#include "edgeloop/architecture/latency_model.hpp"
#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/planning/run_plan.hpp"
#include "edgeloop/store/run_directory.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop::apps {
namespace {

using cli::SearchConfig;

constexpr double memory_share_that_limits = 0.1;  // of designs that do not fit
constexpr std::size_t designs_weighed = 200;

constexpr std::uint64_t most_runs = 21;  // that are simulated for a group size ...
constexpr double simulating_s = 10;      // ... while there is time, or --plan-seconds if less

/// A group size and what it leads to. Which designs a search breeds depends on errors that nobody
/// knows yet, and some cost many times what others do: so several runs are predicted, each with its
/// own scatter of errors.
struct Choice {
    int ranks_per_candidate = 1;
    PlanMachines machines;
    RunPrediction prediction;    ///< the one of median length
    double quick = 0, slow = 0;  ///< seconds of the quartiles, start included
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

class Planner {
  public:
    Planner(const SearchConfig& config, const SearchTask& task, const Calibration& calibration,
            const std::vector<RankBinding>& bindings, double start_up_s)
        : config_(config),
          task_(task),
          calibration_(calibration),
          ranks_(config.plan_ranks > 0 ? config.plan_ranks : static_cast<int>(bindings.size())),
          launched_(static_cast<int>(bindings.size())),
          cores_(cores(bindings)),
          start_up_s_(start_up_s) {
        if (config.ranks_per_candidate > workers())
            throw ConfigError(fmt::format("--ranks-per-candidate is {} and there are {} workers",
                                          config.ranks_per_candidate, workers()),
                              {}, "plan for more ranks or smaller groups");
        if (config.ranks_per_candidate > 1 && calibration.group_sizes.size() == 1)
            throw ConfigError("the exchange of gradients has not been timed",
                              "there was no group of two ranks to time it in",
                              "start the plan with mpirun -n 3 or more");
        storing_seconds_ = time_storing();
    }

    Json plan() {
        const Choice asked = choose(config_.ranks_per_candidate);
        const std::vector<Choice> all = choices();
        const auto best =
            std::min_element(all.begin(), all.end(), [](const Choice& a, const Choice& b) {
                return a.prediction.seconds < b.prediction.seconds;
            });
        const Bottleneck bottleneck = find_bottleneck([this] { return engine(); }, asked.machines,
                                                      costs(asked.ranks_per_candidate));
        const double unfit = share_without_memory();
        const bool memory = unfit > memory_share_that_limits;
        const RunPrediction& run = asked.prediction;
        Json json = {
            {"ranks", ranks_},
            {"cores", cores_},
            {"ranks_per_candidate", asked.ranks_per_candidate},
            {"groups", asked.machines.groups},
            {"devices", task_.measures_latency ? config_.plan_devices : 0},
            {"evaluations", task_.engine.evaluations},
            {"seconds", start_up_s_ + run.seconds},
            {"seconds_quartiles", {asked.quick, asked.slow}},
            {"hours", (start_up_s_ + run.seconds) / 3600},
            {"start_up_s", start_up_s_},
            {"trainings", run.trainings},
            {"training_s",
             run.trainings > 0 ? run.training_seconds / static_cast<double>(run.trainings) : 0},
            {"measuring_s", measuring_seconds()},
            {"dispatch_s", calibration_.dispatch_seconds},
            {"storing_s_per_event", storing_seconds_},
            {"groups_busy", run.groups_busy},
            {"devices_busy", run.devices_busy},
            {"bottleneck", memory ? "memory" : bottleneck.part},
            {"halving_it_saves", memory ? 0 : bottleneck.saves},
            {"designs_without_memory", unfit},
            {"best_ranks_per_candidate", best->ranks_per_candidate},
            {"calibration_s", calibration_.seconds},
            {"calibration_trainings", calibration_.training.size()},
            {"calibration_error", calibration_.training.relative_error()},
            {"calibration_cut_off", calibration_.given_up},
            {"measurements_timed", calibration_.measurements},
            {"measuring_assumed", measuring_is_assumed()},
            {"designs", calibration_.designs},
            {"designs_not_timed", calibration_.not_timed},
            {"extrapolated_flops",
             calibration_.largest_flops / std::max(1.0, calibration_.largest_timed)}};
        for (const Choice& choice : all)
            json["group_sizes"].push_back({{"ranks_per_candidate", choice.ranks_per_candidate},
                                           {"groups", choice.machines.groups},
                                           {"seconds", start_up_s_ + choice.prediction.seconds},
                                           {"groups_busy", choice.prediction.groups_busy}});
        return json;
    }

  private:
    [[nodiscard]] int workers() const { return ranks_ > 1 ? ranks_ - 1 : 1; }

    /// Of a larger allocation: enough, because there a rank gets its own.
    [[nodiscard]] double cores(const std::vector<RankBinding>& bindings) const {
        if (config_.plan_cores > 0) return config_.plan_cores;
        const int here = cores_of(bindings);
        return ranks_ <= launched_ ? here : std::max(here, ranks_ * config_.threads);
    }

    [[nodiscard]] std::unique_ptr<Engine> engine() const {
        return make_engine(task_.space, task_.engine, task_.static_metrics);
    }

    [[nodiscard]] double measuring_seconds() const {
        if (!task_.measures_latency || config_.edge == "model") return 0;
        if (config_.plan_device_seconds > 0) return config_.plan_device_seconds;
        return calibration_.measurements > 0 ? calibration_.measuring_seconds
                                             : config_.measure_seconds;
    }

    /// Whether nobody has said or timed how long a measurement takes.
    [[nodiscard]] bool measuring_is_assumed() const {
        return task_.measures_latency && config_.edge != "model" &&
               config_.plan_device_seconds == 0 && calibration_.measurements == 0;
    }

    [[nodiscard]] PlanMachines machines(int ranks_per_candidate) const {
        PlanMachines machines;
        machines.groups = static_cast<std::size_t>(workers() / ranks_per_candidate);
        machines.cores_of_group = static_cast<double>(ranks_per_candidate) * config_.threads;
        machines.cores = cores_;
        if (task_.measures_latency)
            machines.devices = static_cast<std::size_t>(config_.plan_devices);
        machines.devices_share = config_.edge == "local" && ranks_ <= launched_;
        return machines;
    }

    /// @param world  which of the scatters of errors.
    [[nodiscard]] PlanCosts costs(int ranks_per_candidate, std::uint64_t world = 0) const {
        PlanCosts costs;
        costs.training_seconds = [this, ranks_per_candidate](const Candidate& candidate) {
            const int epochs = candidate.epochs - candidate.trained_epochs;
            return calibration_.training.seconds(training_load(
                design_costs(candidate), task_.data_size, epochs, ranks_per_candidate));
        };
        costs.measuring_seconds = [seconds = measuring_seconds()](const Candidate&) {
            return seconds;
        };
        costs.trained = [this, world](const Candidate& candidate) {
            return plausible_errors(candidate, world);
        };
        costs.measured = [this](const Candidate& candidate) {
            return plausible_latency(candidate);
        };
        costs.dispatch_seconds = calibration_.dispatch_seconds;
        costs.storing_seconds = storing_seconds_;
        costs.should_stop = [] { return stop_signal() != 0; };
        return costs;
    }

    /// Results that make a search go on as usual: larger designs and higher rungs err as much less
    /// as the calibration found, with its scatter. They decide which designs a search breeds from,
    /// and so what its later trainings cost.
    [[nodiscard]] Metrics plausible_errors(const Candidate& candidate, std::uint64_t world) const {
        RandomStream scatter(config_.seed + world, "plan",
                             static_cast<std::uint32_t>(candidate.rung), candidate.id);
        const double decades = std::log10(std::max(10.0, candidate.known.at("flops")));
        const ErrorTrend& errors = calibration_.errors;
        const double error = std::exp(errors.scatter * scatter.normal() - errors.gain * decades) /
                             (1 + 0.1 * candidate.rung);
        Metrics metrics;
        for (const std::string& name :
             metric_names(Source::training, Needs::nothing, Meaning::smaller_is_better,
                          {"speed_mm_s", "power_w"}))
            metrics[name] = error;
        return metrics;
    }

    [[nodiscard]] Metrics plausible_latency(const Candidate& candidate) const {
        const double latency_ms = calibration_.latency_over_model *
                                  analytic_latency_ms(candidate.design->spec(), DeviceModel{});
        Metrics metrics;
        for (const std::string& name :
             metric_names(Source::measuring, Needs::power_meter, Meaning::smaller_is_better))
            metrics[name] = latency_ms;
        return metrics;
    }

    [[nodiscard]] Choice choose(int ranks_per_candidate) const {
        Choice choice;
        choice.ranks_per_candidate = ranks_per_candidate;
        choice.machines = machines(ranks_per_candidate);
        log::info("plan: predicting runs with groups of {}", ranks_per_candidate);
        const double until = steady_seconds() + std::min(simulating_s, config_.plan_seconds);
        std::vector<RunPrediction> runs;
        for (std::uint64_t i = 0; i < most_runs && (i == 0 || steady_seconds() < until); ++i)
            runs.push_back(predict_run(*engine(), choice.machines, costs(ranks_per_candidate, i)));
        std::sort(runs.begin(), runs.end(),
                  [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
        choice.prediction = runs[runs.size() / 2];
        choice.quick = start_up_s_ + runs[runs.size() / 4].seconds;
        choice.slow = start_up_s_ + runs[3 * runs.size() / 4].seconds;
        return choice;
    }

    /// Group sizes to compare: those timed, and once exchange has been timed, all powers of 2.
    [[nodiscard]] std::vector<Choice> choices() const {
        std::vector<int> sizes = calibration_.group_sizes;
        if (sizes.size() > 1)
            for (int size = 1; size <= workers(); size *= 2) sizes.push_back(size);
        std::sort(sizes.begin(), sizes.end());
        sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
        std::vector<Choice> all;
        for (const int size : sizes)
            if (size <= workers()) all.push_back(choose(size));
        return all;
    }

    /// Seconds to keep one event, from keeping the whole predicted run.
    [[nodiscard]] double time_storing() const {
        const ScratchFolder scratch(scratch_path(config_) + "-run");
        const std::unique_ptr<Engine> counted = engine();
        RunDirectoryOptions options;
        options.path = scratch.path();
        options.identity = identity_of(*counted);
        options.space = &task_.space;
        options.objectives = task_.engine.goals.objectives;
        RunDirectory store(options);
        const RunPrediction run = predict_run(*counted, machines(config_.ranks_per_candidate),
                                              costs(config_.ranks_per_candidate), &store);
        return run.events > 0 ? store.seconds() / static_cast<double>(run.events) : 0;
    }

    /// Share of designs, as the search begins with them, that need more memory than a rank has.
    [[nodiscard]] double share_without_memory() const {
        const double limit = memory_share_bytes(std::min(ranks_, MpiSession::ranks_on_node()));
        RandomStream random(config_.seed, "plan memory");
        std::size_t unfit = 0;
        std::size_t seen = 0;
        for (std::size_t i = 0; i < designs_weighed; ++i) {
            const Genome genome = task_.space.sample(random);
            if (task_.space.infeasibility(genome)) continue;
            const ArchitectureSpec spec = task_.space.decode(genome);
            ++seen;
            unfit += training_bytes(count(spec), spec.training) > limit ? 1 : 0;
        }
        return seen > 0 ? static_cast<double>(unfit) / static_cast<double>(seen) : 0;
    }

    const SearchConfig& config_;
    const SearchTask& task_;
    const Calibration& calibration_;
    int ranks_, launched_;
    double cores_;
    double start_up_s_;
    double storing_seconds_ = 0;
};

std::string text_of(const Json& plan) {
    const auto number = [&](const char* key) { return plan.at(key).get<double>(); };
    std::string text = fmt::format(
        "{} designs on {} ranks ({} groups of {}, {} cores): {}, half of such runs {} to {}\n"
        "  {} trainings of {:.2f} s on average, groups busy {:.0f} %\n",
        plan.at("evaluations").get<int>(), plan.at("ranks").get<int>(),
        plan.at("groups").get<int>(), plan.at("ranks_per_candidate").get<int>(), number("cores"),
        duration(number("seconds")), duration(plan.at("seconds_quartiles").at(0).get<double>()),
        duration(plan.at("seconds_quartiles").at(1).get<double>()), plan.at("trainings").get<int>(),
        number("training_s"), 100 * number("groups_busy"));
    if (plan.at("devices").get<int>() > 0)
        text += fmt::format("  measurements of {:.2f} s, devices busy {:.0f} %\n",
                            number("measuring_s"), 100 * number("devices_busy"));
    text += fmt::format(
        "  start {:.1f} s, dispatch {:.1f} ms a training, storing {:.3f} ms an event\n",
        number("start_up_s"), 1e3 * number("dispatch_s"), 1e3 * number("storing_s_per_event"));
    const std::string bottleneck = plan.at("bottleneck");
    if (bottleneck == "memory")
        text += "  bottleneck: memory; start fewer ranks a node\n";
    else
        text += fmt::format("  bottleneck: {}; half of it would save {:.0f} % of the time\n",
                            bottleneck, 100 * number("halving_it_saves"));
    if (number("designs_without_memory") > 0)
        text +=
            fmt::format("  {:.0f} % of designs need more memory than a rank has and would fail\n",
                        100 * number("designs_without_memory"));
    for (const Json& size : plan.at("group_sizes"))
        text += fmt::format(
            "  --ranks-per-candidate {}: {}{}\n", size.at("ranks_per_candidate").get<int>(),
            duration(size.at("seconds").get<double>()),
            size.at("ranks_per_candidate") == plan.at("best_ranks_per_candidate") ? "  (best)"
                                                                                  : "");
    text += fmt::format("from {} trainings timed in {:.0f} s, which the model meets to {:.0f} %\n",
                        plan.at("calibration_trainings").get<int>(), number("calibration_s"),
                        100 * number("calibration_error"));
    if (plan.at("designs_not_timed").get<int>() > 0)
        text += fmt::format(
            "not timed: {} of {} designs, which have up to {:.1f} times the FLOPs of the largest "
            "that ended in time; their share of the time is extrapolated, more --plan-seconds make "
            "it surer\n",
            plan.at("designs_not_timed").get<int>(), plan.at("designs").get<int>(),
            number("extrapolated_flops"));
    if (plan.at("devices").get<int>() > 0 && plan.at("measuring_assumed").get<bool>())
        text += fmt::format(
            "not timed: measurements, taken to last {:g} s (--measure-seconds); "
            "--plan-device-seconds says it better\n",
            number("measuring_s"));
    return text;
}

}  // namespace

void plan_search(const SearchConfig& config, const SearchTask& task, const LocalAgent* agent,
                 const Communicator& world, const std::vector<RankBinding>& bindings) {
    const double start_up_s = process_age_seconds();  // a run needs its start as well
    const Calibration calibration = calibrate(config, task, agent, world, bindings);
    if (world.rank() != 0) return;
    const Json plan = Planner(config, task, calibration, bindings, start_up_s).plan();
    const std::string text = config.json ? plan.dump(2) + '\n' : text_of(plan);
    std::printf("%s", text.c_str());
    std::fflush(stdout);
}

}  // namespace edgeloop::apps
