#pragma once

#include "apps/search_config.hpp"

#include "edgeloop/comm/binding.hpp"
#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/dispatch/worker.hpp"
#include "edgeloop/link/remote_probe.hpp"
#include "edgeloop/planning/scaling_model.hpp"
#include "edgeloop/search/engine.hpp"
#include "edgeloop/store/run_directory.hpp"
#include "edgeloop/training/trainer.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop::apps {

/// What a search is about: an analytic problem, or networks trained on shards.
struct SearchTask {
    SearchSpace space;
    EngineSettings engine;
    StaticMetrics static_metrics = {};
    bool measures_latency = false;  ///< an edge device (or its model) is part of each evaluation
    std::vector<std::string> measured = {};  ///< metrics that the goals want from measuring
    std::string data_digest = {};            ///< of the catalogue; empty for problems
    /// What the user should know about the given designs; one line each.
    std::vector<std::string> notes = {};
    /// What the best error is compared with: the validation error of predicting the mean; NaN for
    /// problems.
    double mean_predictor_rmse = 0;
    /// Which designs --large-ranks is for; empty: none. A function of the design alone.
    std::function<bool(const Candidate&)> is_large = {};
    DataSize data_size = {};  ///< of the parts that a candidate sees; 0 for problems
    /// Makes what a worker does with a candidate. Called on ranks that train.
    std::function<WorkerFunction()> make_worker = {};
    std::optional<TrainingSettings> training = {};  ///< of make_worker; nothing for problems
    std::string trains_on = {};  ///< TrainingDevices::description(), once the ranks have agreed
};

/// Reads space and problem, opens the shards; the same on every rank.
/// @throws ConfigError
[[nodiscard]] SearchTask make_search_task(const SearchConfig& config);

/// What results of this run depend on: each option by what it affects, files by their content.
[[nodiscard]] RunConditions run_conditions(const SearchConfig& config, const SearchTask& task);

/// Of the conditions of training those that TrainingRun's identity does not name, as text: settings
/// that are not the default and younger than it, so that states of older trainings still fit.
[[nodiscard]] std::string younger_conditions(const SearchConfig& config);

/// The same of another run as its config.ini and provenance.json tell, for what its
/// conditions.json, if it has one, does not. A setting that is younger than the run had what is its
/// default now.
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
