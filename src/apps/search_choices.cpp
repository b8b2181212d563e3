#include "apps/search_task.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/search/seed_designs.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::apps {

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

namespace {

/// Refuses a goal that does not say which of several classes measures it.
void require_classes(const Goals& goals, const std::vector<std::string>& classes) {
    if (classes == std::vector<std::string>{""}) return;
    for (const std::string& name : goals.wanted()) {
        const Metric* const metric = find_metric(name);
        if (metric == nullptr || metric->source != Source::measuring ||
            name.find('@') < name.size())
            continue;
        throw ConfigError(fmt::format("'{}' does not say which class of devices measures it", name),
                          fmt::format("this run measures on {}", fmt::join(classes, ", ")),
                          fmt::format("write {}", metric_of_class(name, classes.front())));
    }
}

}  // namespace

ClassMetrics settle_goals(Goals& goals, const std::string& edge,
                          const std::vector<std::string>& classes,
                          const std::vector<std::string>& targets) {
    const auto objectives = [&](Source source, Needs means) {
        return metric_names(source, means, Meaning::smaller_is_better, targets);
    };
    const bool measures = edge != "none";
    if (goals.objectives.empty()) {
        goals.objectives = {"val_rmse"};
        if (!measures) goals.objectives.emplace_back("flops");
        for (const std::string& each : classes)
            if (measures) goals.objectives.push_back(metric_of_class("latency_ms", each));
    }
    std::vector<std::string> delivered = objectives(Source::training, Needs::nothing), measured;
    for (std::string& name : objectives(Source::design, Needs::nothing))
        delivered.push_back(std::move(name));
    if (measures)
        measured = objectives(Source::measuring, edge == "model" ? Needs::nothing : Needs::meter);
    const std::vector<std::string> wanted = goals.wanted();
    ClassMetrics asked;
    for (const std::string& each : classes)
        for (const std::string& metric : measured) {
            delivered.push_back(metric_of_class(metric, each));
            if (std::count(wanted.begin(), wanted.end(), delivered.back()) > 0)
                asked[each].push_back(metric);
        }
    require_classes(goals, classes);
    require_known_metrics(goals, delivered);
    return asked;
}

namespace {

/// Whether the run that is resumed began when genes without effect still told designs apart.
bool began_with_idle_genes(const SearchConfig& config) {
    const std::string path = config.run_dir + "/provenance.json";
    if (!config.resume || !std::filesystem::exists(path)) return false;
    try {
        const Json provenance = read_json_file(path, deepest_kept_json);
        return provenance.contains("identity") &&
               provenance.at("identity").value("idle_genes", true);
    } catch (const Error&) {
        return false;  // who opens the run says what is wrong with it
    } catch (const Json::exception&) {
        return false;
    }
}

SearchSpace read_space(const SearchConfig& config,
                       const std::optional<Normalisation>& normalisation) {
    Json base = Json::object(), of_data = Json::object();
    const std::vector<int>& rungs = config.engine.ladder.epochs;
    const int budget = rungs.empty() ? config.epochs : rungs.back();
    if (budget != 0) base["training"]["epochs"] = budget;
    if (normalisation)
        of_data["clip"] = {{"mean", normalisation->mean}, {"deviation", normalisation->deviation}};
    SearchSpace space = SearchSpace::from_file(config.space, base, of_data);
    if (budget == 0) return space;
    for (const Variable& variable : space.variables())
        if (std::count(variable.paths.begin(), variable.paths.end(), "training.epochs") > 0)
            throw ConfigError("the training budget is given twice",
                              fmt::format("'{}' is searched in {}", variable.name, config.space),
                              "drop --epochs and --rungs, or the variable");
    return space;
}

}  // namespace

SearchSpace settled_space(const SearchConfig& config,
                          const std::optional<Normalisation>& normalisation) {
    const SearchSpace space = read_space(config, normalisation);
    return began_with_idle_genes(config) ? space.with_idle_genes() : space;
}

namespace {

/// Refuses a budget that ends before all given designs are tried.
void require_budget_for_given(const std::vector<int>& epochs, const EngineSettings& engine) {
    if (engine.budget.unit != Budget::Unit::epochs) return;
    const double needed = engine.ladder.epochs.empty()
                              ? std::accumulate(epochs.begin(), epochs.end(), 0.0)
                              : epochs_of_cohort(engine.ladder, epochs.size());
    if (needed > engine.budget.amount)
        throw ConfigError(fmt::format("--seed-specs gives {} designs of {:g} epochs together",
                                      epochs.size(), needed),
                          fmt::format("--budget is {}", to_string(engine.budget)),
                          "raise --budget or give fewer designs");
}

}  // namespace

std::vector<std::string> add_given_designs(const std::vector<std::string>& paths,
                                           const SearchSpace& space, const StaticMetrics& counted,
                                           EngineSettings& engine) {
    std::vector<std::string> notes;
    std::vector<Genome>& first = engine.first;
    std::vector<int> epochs;
    for (const std::string& path : paths) {
        const ArchitectureSpec given = ArchitectureSpec::from_file(path);
        Genome genome = genome_of(space, given, path);
        const ClipShape clip = space.decode(genome).clip;
        if (clip.mean != given.clip.mean || clip.deviation != given.clip.deviation)
            notes.push_back(fmt::format(
                "--seed-specs {}: grey values are normalised as in the other designs of this run, "
                "by mean {} and deviation {}",
                path, clip.mean, clip.deviation));
        const auto same = [&](const Genome& other) {
            return space.identity(other) == space.identity(genome);
        };
        if (std::any_of(first.begin(), first.end(), same)) {
            notes.push_back(
                fmt::format("--seed-specs {}: the design is given twice and tried once", path));
            continue;
        }
        Candidate candidate;
        candidate.design = Design::of(space.decode(genome));
        if (const auto broken = engine.goals.broken(counted(candidate)))
            notes.push_back(fmt::format(
                "--seed-specs {}: {}; it counts as infeasible and is not trained", path, *broken));
        else if (const auto why = engine.static_rule ? engine.static_rule(candidate) : std::nullopt)
            notes.push_back(fmt::format(
                "--seed-specs {}: {}; it counts as infeasible and is not trained", path, *why));
        epochs.push_back(candidate.design->spec().training.epochs);
        first.push_back(std::move(genome));
    }
    require_budget_for_given(epochs, engine);
    if (first.size() > engine.evaluations)
        throw ConfigError(fmt::format("--seed-specs gives {} designs", first.size()),
                          fmt::format("--evaluations is {}", engine.evaluations),
                          "raise --evaluations or give fewer designs");
    if (first.size() > engine.population)
        notes.push_back(
            fmt::format("the first population has all {} designs of --seed-specs, the later ones "
                        "{} members",
                        first.size(), engine.population));
    return notes;
}

void require_designs(const SearchSpace& space, const EngineSettings& engine,
                     const StaticMetrics& counted) {
    constexpr int samples = 1000;
    RandomStream random(engine.seed, "any design");
    std::optional<std::string> why;
    for (int i = 0; i < samples; ++i) {
        why = space.infeasibility(space.sample(random));
        if (!why) break;
    }
    if (!why && engine.budget.unit != Budget::Unit::epochs) return;
    // Few designs may be allowed and hard to hit: the engine looks at all of a small space.
    if (make_engine(space, engine, counted)->ask()) return;
    if (!why)
        throw ConfigError(
            fmt::format("--budget {} is less than one design trains for", to_string(engine.budget)),
            {}, "raise --budget, or train for fewer epochs");
    throw ConfigError("no design of the space may be trained", "for instance: " + *why,
                      "change the space or the option that the reason names");
}

std::set<WindowShape> window_shapes(const SearchSpace& space) {
    constexpr int designs = 1000;
    RandomStream random(0, "windows");
    std::set<WindowShape> shapes;
    for (int i = 0; i < designs; ++i)
        if (const DesignPtr design = space.try_decode(space.sample(random)).design)
            shapes.emplace(design->spec().clip.frames, design->spec().clip.stride);
    return shapes;
}

double median_flops(const SearchSpace& space) {
    constexpr std::size_t designs = 199;
    RandomStream random(0, "median design");
    std::vector<double> flops;
    for (std::size_t i = 0; i < 100 * designs && flops.size() < designs; ++i)
        if (const DesignPtr design = space.try_decode(space.sample(random)).design)
            flops.push_back(static_cast<double>(design->counts().flops));
    return flops.empty() ? 0 : median(std::move(flops));
}

}  // namespace edgeloop::apps
