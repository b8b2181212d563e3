#pragma once

#include "apps/search_config.hpp"

#include "edgeloop/dispatch/worker.hpp"
#include "edgeloop/planning/scaling_model.hpp"
#include "edgeloop/search/engine.hpp"
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

}  // namespace edgeloop::apps
