#include "apps/search_task.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/data/dataset.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/search/analytic.hpp"
#include "edgeloop/search/seed_designs.hpp"
#include "edgeloop/training/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::apps {
namespace {

int positive_integer(const std::string& text, const std::string& option) {
    const bool digits = !text.empty() && text.size() < 10 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || std::stoi(text) == 0)
        throw ConfigError(fmt::format("--{} has '{}'", option, text),
                          "it takes positive whole numbers");
    return std::stoi(text);
}

double finite_number(const std::string& text, const std::string& option) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !std::isfinite(value))
        throw ConfigError(fmt::format("--{} has '{}'", option, text), "it takes numbers");
    return value;
}

EngineSettings engine_settings(const cli::SearchConfig& config) {
    EngineSettings settings;
    settings.kind = engine_kind_from(config.engine);
    settings.seed = config.seed;
    settings.population = static_cast<std::size_t>(config.population);
    settings.evaluations = static_cast<std::uint64_t>(config.evaluations);
    settings.variation.crossover_probability = config.crossover_probability;
    settings.variation.mutation_probability = config.mutation_probability;
    settings.pruning.dominated = config.prune_hopeless;
    settings.pruning.optimism = config.prune_optimism;
    for (const std::string& epochs : config.rungs)
        settings.ladder.epochs.push_back(positive_integer(epochs, "rungs"));
    settings.ladder.reduction = config.reduction;
    settings.surrogate.children = static_cast<std::size_t>(config.model_children);
    settings.goals.objectives = config.objectives;
    for (const std::string& value : config.reference)
        settings.goals.reference.push_back(finite_number(value, "reference"));
    for (const std::string& text : config.constraints)
        settings.goals.constraints.push_back(parse_constraint(text));
    return settings;
}

bool wants(const Goals& goals, const std::string& metric) {
    const auto limits = [&](const Constraint& each) { return each.metric == metric; };
    return std::count(goals.objectives.begin(), goals.objectives.end(), metric) > 0 ||
           std::any_of(goals.constraints.begin(), goals.constraints.end(), limits);
}

// Refuses a goal whose metric nothing delivers, before hours of training find out.
void require_known_metrics(const Goals& goals, const std::vector<std::string>& delivered) {
    const auto check = [&](const std::string& metric, const char* what) {
        if (std::find(delivered.begin(), delivered.end(), metric) != delivered.end()) return;
        const std::string hint = did_you_mean(metric, delivered);
        // Without a near name the hint is the list once more.
        throw ConfigError(fmt::format("{} '{}' is unknown here", what, metric),
                          fmt::format("this run delivers {}", fmt::join(delivered, ", ")),
                          !hint.empty() && hint.back() == '?' ? hint : std::string());
    };
    for (const std::string& objective : goals.objectives) {
        check(objective, "objective");
        if (std::count(goals.objectives.begin(), goals.objectives.end(), objective) > 1)
            throw ConfigError(fmt::format("objective '{}' is given twice", objective), {},
                              "give each objective once");
    }
    for (const Constraint& constraint : goals.constraints)
        check(constraint.metric, "constrained metric");
}

SearchTask problem_task(const cli::SearchConfig& config) {
    const auto problem = std::make_shared<const Problem>(find_problem(config.problem));
    SearchTask task{problem->space(), engine_settings(config)};
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
    std::vector<std::string> delivered = own.objectives;
    for (const Constraint& constraint : own.constraints) delivered.push_back(constraint.metric);
    require_known_metrics(goals, delivered);
    task.make_worker = [problem]() -> WorkerFunction {
        return [problem](const Candidate& candidate, const Communicator&, const CancelToken&) {
            return evaluate(*problem, candidate);
        };
    };
    return task;
}

Metrics counted_metrics(const Candidate& candidate) {
    const ModelCounts counts = count(candidate.design->spec());
    return {{"parameters", static_cast<double>(counts.parameters)},
            {"flops", static_cast<double>(counts.flops)}};
}

TrainingSettings training_settings(const cli::SearchConfig& config,
                                   std::shared_ptr<const Dataset> dataset) {
    TrainingSettings settings;
    settings.shards = config.data;
    settings.dataset = std::move(dataset);
    settings.max_train_samples = static_cast<std::size_t>(config.max_train_samples);
    settings.max_validation_samples = static_cast<std::size_t>(config.max_validation_samples);
    settings.data_seed = config.seed;
    if (config.large_ranks > 0) settings.batch_ranks = config.ranks_per_candidate;
    settings.threads = config.threads;
    settings.augment = config.augment;
    settings.device = config.device == "cuda"  ? Device::cuda
                      : config.device == "cpu" ? Device::cpu
                                               : Device::automatic;
    settings.kernels = kernels_from(config.kernels);
    settings.mixed_precision = config.mixed_precision;
    settings.clip_norm = config.clip_norm;
    settings.patience_epochs = config.patience;
    settings.state_dir = config.run_dir + "/training";
    if (config.save_weights) settings.weights_dir = config.run_dir + "/weights";
    return settings;
}

// The space with the full training budget of --epochs or the last of --rungs in every recipe, so
// that schedules such as cosine span the budget that is really trained.
SearchSpace space_with_budget(const cli::SearchConfig& config) {
    const int budget =
        config.rungs.empty() ? config.epochs : positive_integer(config.rungs.back(), "rungs");
    if (budget == 0) return SearchSpace::from_file(config.space);
    SearchSpace space = SearchSpace::from_file(config.space, {{"training", {{"epochs", budget}}}});
    for (const Variable& variable : space.variables())
        if (std::count(variable.paths.begin(), variable.paths.end(), "training.epochs") > 0)
            throw ConfigError("the training budget is given twice",
                              fmt::format("'{}' is searched in {}", variable.name, config.space),
                              "drop --epochs and --rungs, or the variable");
    return space;
}

// Refuses a space of which no design may be trained, before anything is kept or timed.
void require_designs(const SearchTask& task) {
    constexpr int samples = 1000;
    RandomStream random(task.engine.seed, "any design");
    std::optional<std::string> why;
    for (int i = 0; i < samples; ++i) {
        why = task.space.infeasibility(task.space.sample(random));
        if (!why) return;
    }
    // Few designs may be allowed and hard to hit: the engine looks at all of a small space.
    if (make_engine(task.space, task.engine, task.static_metrics)->ask()) return;
    throw ConfigError("no design of the space may be trained", "for instance: " + *why,
                      "change the space or the option that the reason names");
}

// FLOPs of the median design of the space.
double median_flops(const SearchSpace& space) {
    constexpr std::size_t designs = 199;
    RandomStream random(0, "median design");
    std::vector<double> flops;
    for (std::size_t i = 0; i < 100 * designs && flops.size() < designs; ++i) {
        const Genome genome = space.sample(random);
        if (!space.infeasibility(genome))
            flops.push_back(static_cast<double>(count(space.decode(genome)).flops));
    }
    return flops.empty() ? 0 : median(std::move(flops));
}

// FLOPs from which on a design takes as long on --large-ranks as the median design on
// --ranks-per-candidate.
double large_flops(const cli::SearchConfig& config, const SearchSpace& space) {
    return median_flops(space) * config.large_ranks / config.ranks_per_candidate;
}

std::size_t samples_of(const Catalogue& catalogue, SplitPart part, int most) {
    const auto lines = static_cast<std::size_t>(catalogue.part(part).lines);
    return most > 0 ? std::min(lines, static_cast<std::size_t>(most)) : lines;
}

// Puts the designs of --seed-specs into the first population.
void add_given_designs(const cli::SearchConfig& config, SearchTask& task) {
    std::vector<Genome>& first = task.engine.first;
    for (const std::string& path : config.seed_specs) {
        const ArchitectureSpec spec = ArchitectureSpec::from_file(path);
        Genome genome = genome_of(task.space, spec, path);
        const auto same = [&](const Genome& other) {
            return task.space.identity(other) == task.space.identity(genome);
        };
        if (std::any_of(first.begin(), first.end(), same)) {
            task.notes.push_back(
                fmt::format("--seed-specs {}: the design is given twice and tried once", path));
            continue;
        }
        Candidate candidate;
        candidate.design = Design::of(task.space.decode(genome));
        if (const auto broken = task.engine.goals.broken(counted_metrics(candidate)))
            task.notes.push_back(fmt::format(
                "--seed-specs {}: {}; it counts as infeasible and is not trained", path, *broken));
        first.push_back(std::move(genome));
    }
    if (first.size() > task.engine.evaluations)
        throw ConfigError(fmt::format("--seed-specs gives {} designs", first.size()),
                          fmt::format("--evaluations is {}", task.engine.evaluations),
                          "raise --evaluations or give fewer designs");
    if (first.size() > task.engine.population)
        task.notes.push_back(
            fmt::format("the first population has all {} designs of --seed-specs, the later ones "
                        "{} members",
                        first.size(), task.engine.population));
}

SearchTask network_task(const cli::SearchConfig& config) {
    SearchTask task{space_with_budget(config), engine_settings(config), counted_metrics,
                    config.edge != "none"};
    // Opened before the search starts, so that a damaged shard stops it instead of failing every
    // design, and once, for all designs that this process trains.
    auto dataset = std::make_shared<const Dataset>(config.data);
    task.data_digest = dataset->digest();
    const Catalogue& catalogue = dataset->catalogue();
    task.data_size = {samples_of(catalogue, SplitPart::train, config.max_train_samples),
                      samples_of(catalogue, SplitPart::validation, config.max_validation_samples)};
    task.mean_predictor_rmse = mean_predictor_rmse(catalogue, SplitPart::validation);
    if (config.large_ranks > 0) {
        const double limit = large_flops(config, task.space);
        task.is_large = [limit](const Candidate& candidate) {
            return candidate.known.at("flops") >= limit;
        };
    }

    add_given_designs(config, task);
    Goals& goals = task.engine.goals;
    const auto objectives = [](Source source, Needs means) {
        return metric_names(source, means, Meaning::smaller_is_better, {"speed_mm_s", "power_w"});
    };
    std::vector<std::string> delivered = objectives(Source::training, Needs::nothing), measured;
    for (std::string& name : objectives(Source::design, Needs::nothing))
        delivered.push_back(std::move(name));
    if (task.measures_latency)
        measured = objectives(Source::measuring,
                              config.edge == "model" ? Needs::nothing : Needs::power_meter);
    delivered.insert(delivered.end(), measured.begin(), measured.end());
    if (goals.objectives.empty())
        goals.objectives = {"val_rmse", task.measures_latency ? "latency_ms" : "flops"};
    require_known_metrics(goals, delivered);
    for (const std::string& name : measured)
        if (wants(goals, name)) task.measured.push_back(name);
    require_designs(task);

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

SearchTask make_search_task(const cli::SearchConfig& config) {
    return config.problem.empty() ? network_task(config) : problem_task(config);
}

}  // namespace edgeloop::apps
