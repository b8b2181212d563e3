#include "apps/search_task.hpp"

#include "apps/circuit_rule.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/data/baselines.hpp"
#include "edgeloop/data/dataset.hpp"
#include "edgeloop/data/pixel_statistics.hpp"
#include "edgeloop/training/trainer.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::apps {
namespace {

Metrics counted_metrics(const Candidate& candidate) {
    constexpr double bits_per_kib = 8 * 1024;
    const ModelCounts& counts = candidate.design->counts();
    return {{"parameters", static_cast<double>(counts.parameters)},
            {"flops", static_cast<double>(counts.flops)},
            {"model_kib", static_cast<double>(counts.model_bits) / bits_per_kib},
            {"bit_operations", static_cast<double>(counts.bit_operations)},
            {"training_memory_mib",
             training_bytes(counts, candidate.design->spec().training) / bytes_per_mib}};
}

/// Only the integer runtime runs what low bits describe; on the others the latency would be that of
/// another network.
void require_runtime(const SearchConfig& config, const SearchSpace& space) {
    if (config.edge == "none") return;
    for (const auto& [name, each] : config.classes)
        if (is_simulated(each.settings.runtime) && !space.has_low_bits())
            throw ConfigError(
                fmt::format("the designs of the space '{}' have layers of 32 bits, which have no "
                            "circuit{}",
                            space.name(), name.empty() ? "" : " for the class " + name),
                {}, "search a space of few bits, e.g. --space cnn3d-lowbit");
    if (!space.has_low_bits()) return;
    for (const auto& each : config.classes) {
        const std::string& runtime = each.second.settings.runtime;
        if (runs_low_bits(runtime)) continue;
        throw ConfigError(
            fmt::format("the designs of the space '{}' have quantised layers, which the runtime "
                        "'{}' does not run",
                        space.name(), runtime),
            "it computes in float32, and would time another network",
            "measure with --measure-runtime native, or search without a device: --edge none "
            "--objectives val_rmse model_kib");
    }
}

TrainingSettings training_settings(const SearchConfig& config,
                                   std::shared_ptr<const Dataset> dataset) {
    TrainingSettings settings = config.training;
    settings.dataset = std::move(dataset);
    settings.data_seed = config.engine.seed;
    settings.start_at_mean = config.normalise_by_data;
    settings.conditions = younger_conditions(config);
    if (config.large_ranks > 0) settings.batch_ranks = config.ranks_per_candidate;
    settings.access = access_of(config);
    settings.state_dir = config.run_dir + "/training";
    if (config.save_weights) settings.weights_dir = config.run_dir + "/weights";
    return settings;
}

WindowRule window_rule(const TrainingSettings& settings, const WindowShape& shape) {
    return {shape.first, shape.second, settings.margin, settings.short_lines,
            settings.shortest_line};
}

std::size_t lines_used(const Dataset& dataset, SplitPart part, const WindowRule& rule) {
    const std::vector<Sample>& lines = dataset.samples(part);
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(), [&](const Sample& line) { return rule.uses(line.frames); }));
}

/// Frames of the shortest line with room for every window of the space: all designs are trained and
/// judged on the same lines. 0: short lines are not left out.
int shortest_line(const TrainingSettings& settings, const std::set<WindowShape>& shapes) {
    if (settings.short_lines != ShortLines::skip) return 0;
    std::size_t needed = 0;
    for (const WindowShape& shape : shapes)
        needed = std::max(needed, window_rule(settings, shape).needed());
    return static_cast<int>(needed);
}

/// Refuses a space whose designs would be judged by a few long lines.
void require_windows(const SearchConfig& config, const Dataset& dataset,
                     const std::set<WindowShape>& shapes) {
    for (const WindowShape& shape : shapes) {
        const WindowRule rule = window_rule(config.training, shape);
        for (const SplitPart part : {SplitPart::train, SplitPart::validation}) {
            const std::size_t lines = dataset.samples(part).size();
            const std::size_t left_out = lines - lines_used(dataset, part, rule);
            if (double(left_out) <= config.max_left_out * double(lines)) continue;
            throw ConfigError(
                fmt::format("windows of {} frames with stride {} leave out {} of {} {} lines",
                            shape.first, shape.second, left_out, lines, name_of(part)),
                fmt::format("with a margin of {} they need lines of {} frames; --max-left-out "
                            "allows {:.0f} %",
                            rule.margin, rule.needed(), 100 * config.max_left_out),
                "take these windows out of the space, lower --margin, or allow it with "
                "--max-left-out; --short-lines pad --margin 0 cuts windows as published, which "
                "gives away how long short lines are");
        }
    }
}

/// Lines of a part that designs see, at most so many.
std::size_t samples_of(const TrainingSettings& settings, const Dataset& dataset, SplitPart part,
                       std::size_t max_lines) {
    const std::size_t used = lines_used(dataset, part, window_rule(settings, {1, 1}));
    return max_lines > 0 ? std::min(used, max_lines) : used;
}

std::string left_out_note(const TrainingSettings& settings, const Dataset& dataset) {
    std::size_t lines = 0, used = 0;
    for (const SplitPart part : {SplitPart::train, SplitPart::validation}) {
        lines += dataset.samples(part).size();
        used += samples_of(settings, dataset, part, 0);
    }
    if (lines == used) return {};
    return fmt::format(
        "{} of {} scan lines of training and validation have fewer than {} frames "
        "and are left out",
        lines - used, lines, settings.shortest_line);
}

/// The best that can be had of a design's window without a network; worked out when first asked
/// for.
class WindowBaselines {
  public:
    WindowBaselines(std::shared_ptr<const Dataset> dataset, TrainingSettings settings)
        : dataset_(std::move(dataset)), settings_(std::move(settings)) {}

    /// Nothing where too few windows fit to tell.
    [[nodiscard]] std::optional<double> best(const ClipShape& clip) {
        const WindowShape shape{clip.frames, clip.stride};
        const auto known = best_.find(shape);
        if (known != best_.end()) return known->second;
        std::optional<double> best;
        const WindowRule rule = window_rule(settings_, shape);
        if (lines_used(*dataset_, SplitPart::train, rule) > 0 &&
            lines_used(*dataset_, SplitPart::validation, rule) >= enough_lines)
            best = best_of(baselines(*dataset_, rule)).rmse;
        return best_[shape] = best;
    }

  private:
    static constexpr std::size_t enough_lines = 8;

    std::shared_ptr<const Dataset> dataset_;
    TrainingSettings settings_;
    std::map<WindowShape, std::optional<double>> best_;
};

/// Errors of always saying the mean of the training lines, in the units of the metrics. On the
/// lines that all designs are judged by, where there are such.
Metrics worthless_errors(const Dataset& dataset, const TrainingSettings& settings,
                         const WindowShape& shape) {
    const Baseline mean = mean_baseline(dataset, window_rule(settings, shape));
    Metrics errors{{"val_rmse", mean.rmse}};
    const std::vector<Target>& targets = dataset.catalogue().targets;
    for (std::size_t t = 0; t < targets.size(); ++t)
        errors["val_rmse_" + metric_name(targets[t])] = mean.target_rmse[t] * targets[t].scale;
    return errors;
}

void note_older_ways(const SearchConfig& config, const Catalogue& catalogue,
                     std::vector<std::string>& notes) {
    if (catalogue.crop == Crop::published)
        notes.push_back(
            "the shards are cropped around the mean of whole lines, which a machine does not have "
            "yet when it has to answer; edgeloop-data shard --crop causal makes others");
    if (!config.kept_defaults.empty())
        notes.push_back("this run was begun with other defaults and goes on with them:" +
                        config.kept_defaults);
    if (config.begun_unconfirmed)
        notes.push_back("it keeps the reference point that it had, which depends on its seed");
}

/// Large designs train on --large-ranks, and cost the cores of these.
void distinguish_large(const SearchConfig& config, SearchTask& task) {
    // As long on --large-ranks as the median design on --ranks-per-candidate.
    const double limit = median_flops(task.space) * config.large_ranks / config.ranks_per_candidate;
    task.is_large = [limit](const Candidate& candidate) {
        return candidate.known.at("flops") >= limit;
    };
    const double cores_of_large = double(config.training.threads) * config.large_ranks;
    task.engine.budget.cores = [is_large = task.is_large, cores = config.engine.budget.cores,
                                cores_of_large](const Candidate& candidate) {
        return is_large(candidate) ? cores_of_large : cores(candidate);
    };
}

/// Refuses goals that compare with baselines where there are none.
void require_baselines(const Goals& goals, const std::shared_ptr<const Dataset>& dataset,
                       const TrainingSettings& settings, const std::set<WindowShape>& shapes) {
    const std::vector<std::string> wanted = goals.wanted();
    if (std::count(wanted.begin(), wanted.end(), "baseline_ratio") == 0) return;
    WindowBaselines found(dataset, settings);
    for (const auto& [frames, stride] : shapes) {
        ClipShape clip;
        clip.frames = frames;
        clip.stride = stride;
        if (!found.best(clip))
            throw ConfigError(
                fmt::format("baseline_ratio is asked for, and there is no baseline for windows of "
                            "{} frames with stride {}",
                            frames, stride),
                "fewer than 8 validation lines have room for one",
                "drop the objective or constraint, or validate on more lines");
    }
}

/// What simulated hardware among the devices asks of designs.
void expect_circuits(const SearchConfig& config, SearchTask& task) {
    if (!task.measures_latency) return;
    Goals& goals = task.engine.goals;
    task.engine.static_rule = circuit_rule(config.classes, goals);
    if (goals.objectives.empty()) goals.objectives = usual_objectives(config.classes);
}

SearchTask network_task(const SearchConfig& config) {
    // Opened before the search starts, so that a damaged shard stops it instead of failing every
    // design, and once, for all designs that this process trains.
    auto dataset = std::make_shared<const Dataset>(config.training.shards);
    std::optional<Normalisation> normalisation;
    if (config.normalise_by_data) normalisation = pixel_statistics(*dataset);
    SearchTask task{settled_space(config, normalisation), config.engine, counted_metrics,
                    config.edge != "none"};
    require_runtime(config, task.space);
    task.data_digest = dataset->digest();
    task.crop = name_of(dataset->catalogue().crop);
    const std::set<WindowShape> shapes = window_shapes(task.space);
    require_windows(config, *dataset, shapes);
    TrainingSettings training = config.training;
    training.shortest_line = shortest_line(training, shapes);
    task.data_size = {
        samples_of(training, *dataset, SplitPart::train, training.max_train_samples),
        static_cast<std::size_t>(training.validation_windows) *
            samples_of(training, *dataset, SplitPart::validation, training.max_validation_samples)};
    task.static_metrics =
        [found = std::make_shared<WindowBaselines>(dataset, training)](const Candidate& candidate) {
            Metrics metrics = counted_metrics(candidate);
            if (const auto baseline = found->best(candidate.design->spec().clip))
                metrics["baseline_rmse"] = *baseline;
            return metrics;
        };
    require_baselines(task.engine.goals, dataset, training, shapes);
    expect_circuits(config, task);
    if (config.large_ranks > 0) distinguish_large(config, task);
    task.notes = add_given_designs(config.seed_specs, task.space, counted_metrics, task.engine);
    require_circuits(task.space, task.engine.static_rule, task.engine.first);
    if (const std::string note = left_out_note(training, *dataset); !note.empty())
        task.notes.push_back(note);
    note_older_ways(config, dataset->catalogue(), task.notes);
    if (!config.begun_unconfirmed) {
        task.engine.reference_rule = ReferenceRule::scale;
        if (!shapes.empty())
            task.engine.goals.worthless = worthless_errors(*dataset, training, *shapes.begin());
    }
    std::vector<std::string> targets;
    for (const Target& target : dataset->catalogue().targets)
        targets.push_back(metric_name(target));
    task.measured = settle_goals(task.engine.goals, config.edge, names_of(config.classes), targets);
    task.targets = targets;  // val_rmse_* has their units, r2_* not
    for (const Target& target : dataset->catalogue().targets) task.targets.push_back(target.name);
    require_designs(task.space, task.engine, counted_metrics);

    task.training = training_settings(config, dataset);
    task.training->shortest_line = training.shortest_line;
    if (training.shortest_line > 0)
        task.training->conditions += fmt::format(" shortest-line={}", training.shortest_line);
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
