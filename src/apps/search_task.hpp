#pragma once

#include "apps/search_config.hpp"

#include "edgeloop/comm/binding.hpp"
#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/dispatch/worker.hpp"
#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/link/remote_probe.hpp"
#include "edgeloop/planning/calibration.hpp"
#include "edgeloop/preprocessing/frames.hpp"
#include "edgeloop/search/engine.hpp"
#include "edgeloop/store/run_directory.hpp"
#include "edgeloop/training/trainer.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop::apps {

/// What a search is about: networks trained on shards, or a problem that trains nothing.
struct SearchTask {
    SearchSpace space;
    EngineSettings engine;
    StaticMetrics static_metrics = {};
    bool measures_latency = false;  ///< an edge device (or its model) is part of each evaluation
    ClassMetrics measured = {};     ///< metrics that the goals want from measuring
    /// Targets as they are in names of metrics; empty for problems.
    std::vector<std::string> targets = {};
    std::string data_digest = {};  ///< of the catalogue or table; empty for analytic problems
    std::string crop = {};         ///< of the shards; empty for problems
    std::string about = {};        ///< one line for the user; may be empty
    /// What the user should know about the given designs; one line each.
    std::vector<std::string> notes = {};
    /// Which designs --large-ranks is for; empty: none. A function of the design alone.
    std::function<bool(const Candidate&)> is_large = {};
    DataSize data_size = {};  ///< of the parts that a candidate sees; 0 for problems
    /// Makes what a worker does with a candidate. Called on ranks that train.
    std::function<WorkerFunction()> make_worker = {};
    std::optional<TrainingSettings> training = {};  ///< of make_worker; nothing for problems
    std::string trains_on = {};  ///< TrainingDevices::description(), once the ranks have agreed
    /// Instead of who measures according to `--edge`.
    std::function<std::unique_ptr<LatencyProbe>()> make_probe = {};
    /// Of problems: what a worker finds out about a candidate, and the seconds that it notionally
    /// trains.
    std::function<Outcome(const Candidate&)> evaluate = {};
    std::function<double(const Candidate&)> notional_seconds = {};
};

/// Reads space and problem, opens the shards; the same on every rank.
/// @throws ConfigError
[[nodiscard]] SearchTask make_search_task(const SearchConfig& config);

/// The task of `--problem`: reads the table, if it is one. @throws ConfigError
[[nodiscard]] SearchTask problem_task(const SearchConfig& config);

/// Refuses an objective that is given twice, and a metric that nothing delivers, before hours of
/// training find out. @throws ConfigError
void require_known_metrics(const Goals& goals, const std::vector<std::string>& delivered);

/// Completes the goals of a search over networks: without objectives, val_rmse and the latency, or
/// the FLOPs when nothing is measured.
///
/// @param edge     as `--edge` says.
/// @param classes  of devices, by the names that metrics have; one without a name: none is named.
/// @param targets  of the dataset, as in names of metrics.
/// @return metrics of the goals that each class has to deliver; of none when nothing is measured.
/// @throws ConfigError  a goal that such a search does not deliver.
ClassMetrics settle_goals(Goals& goals, const std::string& edge,
                          const std::vector<std::string>& classes,
                          const std::vector<std::string>& targets);

/// The space with the full training budget of --epochs or the last of --rungs in every recipe, so
/// that schedules such as cosine span the budget that is really trained, and with the data's
/// normalisation in every spec, if there is one.
/// @throws ConfigError  the space searches the budget itself.
[[nodiscard]] SearchSpace settled_space(const SearchConfig& config,
                                        const std::optional<Normalisation>& normalisation = {});

/// Puts the designs of --seed-specs into the first population.
///
/// @return what the user should know about them; one line each.
/// @throws ConfigError  a design that is not of the space; more designs than evaluations, or than
///                      the budget is good for.
[[nodiscard]] std::vector<std::string> add_given_designs(const std::vector<std::string>& paths,
                                                         const SearchSpace& space,
                                                         const StaticMetrics& counted,
                                                         EngineSettings& engine);

/// Refuses a space of which no design may be trained, and a budget in epochs that is not good for
/// one. @throws ConfigError with an example of why.
void require_designs(const SearchSpace& space, const EngineSettings& engine,
                     const StaticMetrics& counted);

/// Frames and stride of a window.
using WindowShape = std::pair<int, int>;
/// Windows that designs of the space have, by a sample of its designs.
[[nodiscard]] std::set<WindowShape> window_shapes(const SearchSpace& space);

/// FLOPs of the median design of the space; 0: none is allowed.
[[nodiscard]] double median_flops(const SearchSpace& space);

/// What results of this run depend on: each option by what it affects, files by their content.
[[nodiscard]] RunConditions run_conditions(const SearchConfig& config, const SearchTask& task);

/// Of the conditions of training those that TrainingRun's identity does not name, as text: settings
/// that are younger than it and not what was the default before they came, so that states of older
/// trainings still fit.
[[nodiscard]] std::string younger_conditions(const SearchConfig& config);

/// The same of another run as its config.ini and provenance.json tell, for what its
/// conditions.json, if it has one, does not. A setting that is younger than the run had what was
/// its default then: older_defaults().
[[nodiscard]] RunConditions conditions_in_files(const std::string& run_dir);

/// `--plan`: times trainings of the first designs that the search would propose, on a few samples,
/// for groups of 1, 2, 4 ... ranks and of --ranks-per-candidate, and, with --edge local,
/// measurements; runs the search on a virtual clock and says on stdout how long the run would take
/// and what holds it up. Collective. As many groups train at once as find cores of their own.
///
/// @throws Stopped      on all ranks, when rank 0 was asked to stop.
/// @throws ConfigError  not even the smallest design could be timed.
void plan_search(const SearchConfig& config, const SearchTask& task, const LocalAgent* agent,
                 const Communicator& world, const std::vector<RankBinding>& bindings);

}  // namespace edgeloop::apps
