#include "apps/search_task.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/data/dataset.hpp"
#include "edgeloop/search/analytic.hpp"
#include "edgeloop/training/trainer.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

namespace edgeloop::apps {
namespace {

SearchTask problem_task(const SearchConfig& config) {
    const auto problem = std::make_shared<const Problem>(find_problem(config.problem));
    SearchTask task{problem->space(), config.engine};
    task.mean_predictor_rmse = std::numeric_limits<double>::quiet_NaN();
    task.engine.analytic = true;
    // The problem's own constraints hold beside those of the user.
    Goals& goals = task.engine.goals;
    const Goals own = goals_of(*problem);
    if (goals.objectives.empty()) {
        goals.objectives = own.objectives;
        if (goals.reference.empty()) goals.reference = own.reference;
    }
    goals.constraints.insert(goals.constraints.end(), own.constraints.begin(),
                             own.constraints.end());
    require_known_metrics(goals, own.wanted());
    task.make_worker = [problem]() -> WorkerFunction {
        return [problem](const Candidate& candidate, const Communicator&, const CancelToken&) {
            return evaluate(*problem, candidate);
        };
    };
    return task;
}

Metrics counted_metrics(const Candidate& candidate) {
    const ModelCounts& counts = candidate.design->counts();
    return {{"parameters", static_cast<double>(counts.parameters)},
            {"flops", static_cast<double>(counts.flops)}};
}

TrainingSettings training_settings(const SearchConfig& config,
                                   std::shared_ptr<const Dataset> dataset) {
    TrainingSettings settings = config.training;
    settings.dataset = std::move(dataset);
    settings.data_seed = config.engine.seed;
    settings.conditions = younger_conditions(config);
    if (config.large_ranks > 0) settings.batch_ranks = config.ranks_per_candidate;
    settings.state_dir = config.run_dir + "/training";
    if (config.save_weights) settings.weights_dir = config.run_dir + "/weights";
    return settings;
}

std::size_t samples_of(const Catalogue& catalogue, SplitPart part, std::size_t most) {
    const auto lines = static_cast<std::size_t>(catalogue.part(part).lines);
    return most > 0 ? std::min(lines, most) : lines;
}

SearchTask network_task(const SearchConfig& config) {
    SearchTask task{space_with_budget(config), config.engine, counted_metrics,
                    config.edge != "none"};
    // Opened before the search starts, so that a damaged shard stops it instead of failing every
    // design, and once, for all designs that this process trains.
    auto dataset = std::make_shared<const Dataset>(config.training.shards);
    task.data_digest = dataset->digest();
    const Catalogue& catalogue = dataset->catalogue();
    task.data_size = {
        samples_of(catalogue, SplitPart::train, config.training.max_train_samples),
        samples_of(catalogue, SplitPart::validation, config.training.max_validation_samples)};
    task.mean_predictor_rmse = mean_predictor_rmse(catalogue, SplitPart::validation);
    if (config.large_ranks > 0) {
        // As long on --large-ranks as the median design on --ranks-per-candidate.
        const double limit =
            median_flops(task.space) * config.large_ranks / config.ranks_per_candidate;
        task.is_large = [limit](const Candidate& candidate) {
            return candidate.known.at("flops") >= limit;
        };
    }
    task.notes = add_given_designs(config.seed_specs, task.space, counted_metrics, task.engine);
    std::vector<std::string> targets;
    for (const Target& target : catalogue.targets) targets.push_back(metric_name(target));
    task.measured = settle_goals(task.engine.goals, config.edge, targets);
    require_designs(task.space, task.engine, counted_metrics);

    task.training = training_settings(config, dataset);
    task.make_worker = [settings = *task.training]() -> WorkerFunction {
        const auto trainer = std::make_shared<const Trainer>(settings);
        return
            [trainer](const Candidate& candidate, const Communicator& group,
                      const CancelToken& token) { return trainer->train(candidate, group, token); };
    };
    return task;
}

}  // namespace

SearchTask make_search_task(const SearchConfig& config) {
    return config.problem.empty() ? network_task(config) : problem_task(config);
}

}  // namespace edgeloop::apps
