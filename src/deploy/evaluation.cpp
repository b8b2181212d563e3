#include "edgeloop/deploy/evaluation.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

using Cells = std::vector<std::string>;

constexpr int label_width = 34;

std::string number(double value, const char* form) {
    return std::isfinite(value) ? fmt::format(fmt::runtime(form), value) : std::string("-");
}

std::string row(const std::string& label, const Cells& cells) {
    std::string text = fmt::format("{:<{}}", label, label_width);
    for (const std::string& cell : cells) text += fmt::format(" {:>12}", cell);
    return text + '\n';
}

std::string in_unit(const Target& target) {
    return target.unit.empty() ? target.name : target.name + " " + target.unit;
}

/// Of all targets together; then of each: normalised, in its unit, coefficient of determination.
Cells cells_of(double all, const std::vector<Target>& targets, const std::vector<double>& rmse,
               const std::vector<double>& r2) {
    Cells cells = {number(all, "{:.4f}")};
    for (std::size_t t = 0; t < targets.size(); ++t) {
        cells.push_back(number(rmse[t], "{:.4f}"));
        cells.push_back(number(rmse[t] * targets[t].scale, "{:.4g}"));
        cells.push_back(number(r2[t], "{:.3f}"));
    }
    return cells;
}

/// @param side  which of the three numbers of each estimate.
Cells cells_of(const Scores& scores, const std::vector<Target>& targets, double Estimate::*side) {
    std::vector<double> rmse, r2;
    for (const TargetScore& target : scores.targets) {
        rmse.push_back(target.rmse.*side);
        r2.push_back(target.r2.*side);
    }
    return cells_of(scores.rmse.*side, targets, rmse, r2);
}

std::string rows_of(const std::string& name, const Scores& scores,
                    const std::vector<Target>& targets) {
    return row(name, cells_of(scores, targets, &Estimate::value)) +
           row("  95 % interval from", cells_of(scores, targets, &Estimate::low)) +
           row("  to", cells_of(scores, targets, &Estimate::high));
}

std::string ratio_text(const Assessment& assessment) {
    const auto shown = [](const Estimate& ratio) {
        return fmt::format("{} ({} to {})", number(ratio.value, "{:.3f}"),
                           number(ratio.low, "{:.3f}"), number(ratio.high, "{:.3f}"));
    };
    std::string text =
        fmt::format("\nRMSE over that of {}, on the {} lines that both predict, paired:\n  all {}",
                    assessment.other, assessment.ratio.windows, shown(assessment.ratio.all));
    for (std::size_t t = 0; t < assessment.targets.size(); ++t)
        text +=
            fmt::format(", {} {}", assessment.targets[t].name, shown(assessment.ratio.targets[t]));
    return text + '\n';
}

std::string bins_text(const Assessment& assessment, std::size_t over) {
    Cells head = {"lines"};
    for (const Target& target : assessment.targets) head.push_back("RMSE " + in_unit(target));
    for (const Target& target : assessment.targets) head.push_back("bias " + in_unit(target));
    const auto line = [](const std::string& label, const Cells& cells) {
        std::string text = fmt::format("{:<20}", label);
        for (const std::string& cell : cells) text += fmt::format(" {:>16}", cell);
        return text + '\n';
    };
    std::string text = '\n' + line("over " + in_unit(assessment.targets[over]), head);
    for (const ErrorBin& bin : assessment.bins[over]) {
        Cells cells = {std::to_string(bin.windows)};
        for (const double rmse : bin.rmse) cells.push_back(number(rmse, "{:.4g}"));
        for (const double bias : bin.bias) cells.push_back(number(bias, "{:+.4g}"));
        text += line(fmt::format("{:g} to {:g}", bin.from, bin.to), cells);
    }
    return text;
}

Json json_of(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json json_of(const Estimate& estimate, double scale = 1) {
    return {{"value", json_of(estimate.value * scale)},
            {"low", json_of(estimate.low * scale)},
            {"high", json_of(estimate.high * scale)}};
}

Json json_of(const Scores& scores, const std::vector<Target>& targets) {
    Json each = Json::array();
    for (std::size_t t = 0; t < targets.size(); ++t)
        each.push_back({{"name", targets[t].name},
                        {"unit", targets[t].unit},
                        {"scale", targets[t].scale},
                        {"rmse_normalised", json_of(scores.targets[t].rmse)},
                        {"rmse", json_of(scores.targets[t].rmse, targets[t].scale)},
                        {"r2", json_of(scores.targets[t].r2)}});
    return {{"lines", scores.windows},
            {"groups", scores.groups},
            {"rmse_normalised", json_of(scores.rmse)},
            {"targets", std::move(each)}};
}

Json bins_json(const Assessment& assessment) {
    Json all = Json::array();
    for (std::size_t over = 0; over < assessment.bins.size(); ++over)
        for (const ErrorBin& bin : assessment.bins[over])
            all.push_back({{"over", assessment.targets[over].name},
                           {"from", bin.from},
                           {"to", bin.to},
                           {"lines", bin.windows},
                           {"rmse", bin.rmse},
                           {"bias", bin.bias}});
    return all;
}

}  // namespace

Assessment assessment_of(const Predictions& predictions, const EvaluationOptions& options) {
    Assessment assessment;
    assessment.targets = predictions.targets;
    assessment.bootstrap = options.bootstrap;
    assessment.unit = options.unit.value_or(usual_unit(predictions));
    const ScoredWindows windows = scored_windows(predictions, assessment.unit);
    if (windows.windows() == 0)
        throw ConfigError("no line that was predicted is labelled", "there is nothing to compare",
                          "write the predictions alone with --predictions");
    assessment.scores = scores_of(windows, options.bootstrap);
    for (std::size_t t = 0; t < assessment.targets.size(); ++t)
        assessment.bins.push_back(bins_over(windows, t));
    if (assessment.unit == ResampledBy::line)
        assessment.notes.emplace_back(
            "lines of a layer resemble each other, so intervals by line are too narrow for other "
            "layers and objects");
    return assessment;
}

void add_other(Predictions of, Predictions other, const EvaluationOptions& options,
               Assessment& assessment) {
    keep_common_lines(of, other);
    if (of.lines.empty())
        throw ConfigError("the two networks have no line in common", "their windows differ",
                          "use a smaller --margin");
    const ScoredWindows first = scored_windows(of, assessment.unit);
    const ScoredWindows second = scored_windows(other, assessment.unit);
    assessment.other_scores = scores_of(second, options.bootstrap);
    assessment.ratio = rmse_ratio(first, second, options.bootstrap);
}

Predictions predict_part(const StoredNetwork& network, const std::string& shards,
                         const std::shared_ptr<const Dataset>& dataset,
                         const EvaluationOptions& options) {
    require_same_kind(network, dataset->catalogue(), shards);
    const Predictor predictor(network.spec, network.weights_file,
                              dataset->catalogue().targets.size(), options.processor);
    return predict_part(predictor, dataset, options.part, network.window(), options.batch);
}

PartAssessment evaluate_part(const StoredNetwork& network, const std::string& shards,
                             const std::shared_ptr<const Dataset>& dataset,
                             const EvaluationOptions& options) {
    PartAssessment made;
    made.predictions = predict_part(network, shards, dataset, options);
    made.assessment = assessment_of(made.predictions, options);
    Assessment& assessment = made.assessment;
    assessment.network = network.name;
    assessment.data = shards;
    assessment.part = name_of(options.part);
    assessment.data_digest = dataset->digest();
    assessment.left_out = dataset->samples(options.part).size() - made.predictions.lines.size();
    assessment.without_network = baselines(*dataset, network.window(), options.part);
    if (!network.data_digest.empty() && network.data_digest != dataset->digest())
        assessment.notes.emplace_back(
            "these are not the shards that the network was trained on: lines of its training may "
            "be among them");
    return made;
}

std::string to_text(const Assessment& assessment) {
    std::string text = fmt::format(
        "network    {}\ndata       {}{}: {} lines", assessment.network, assessment.data,
        assessment.part.empty() ? "" : ", part " + assessment.part, assessment.scores.windows);
    if (assessment.left_out > 0)
        text += fmt::format("; {} have no room for a window and are left out", assessment.left_out);
    text += fmt::format("\nintervals  bootstrap of {} resamples by {} ({} groups), seed {}\n\n",
                        assessment.bootstrap.resamples, name_of(assessment.unit),
                        assessment.scores.groups, assessment.bootstrap.seed);
    Cells head = {"RMSE"};
    for (const Target& target : assessment.targets) {
        head.push_back(target.name);
        head.push_back(in_unit(target));
        head.push_back("R2 " + target.name);
    }
    text += row("", head) + rows_of("network", assessment.scores, assessment.targets);
    if (!assessment.other.empty())
        text += rows_of(assessment.other, assessment.other_scores, assessment.targets);
    if (!assessment.without_network.empty()) text += "without a network:\n";
    for (const Baseline& baseline : assessment.without_network)
        text += row("  " + baseline.name,
                    cells_of(baseline.rmse, assessment.targets, baseline.target_rmse, baseline.r2));
    if (!assessment.other.empty()) text += ratio_text(assessment);
    for (std::size_t t = 0; t < assessment.bins.size(); ++t) text += bins_text(assessment, t);
    for (const std::string& note : assessment.notes) text += "\nnote: " + note + '\n';
    return text;
}

Json to_json(const Assessment& assessment) {
    Json without = Json::array();
    for (const Baseline& baseline : assessment.without_network)
        without.push_back({{"name", baseline.name},
                           {"rmse_normalised", baseline.rmse},
                           {"target_rmse_normalised", baseline.target_rmse},
                           {"r2", baseline.r2}});
    Json json = {{"network", assessment.network},
                 {"data",
                  {{"path", assessment.data},
                   {"part", assessment.part},
                   {"digest", assessment.data_digest},
                   {"left_out", assessment.left_out}}},
                 {"bootstrap",
                  {{"by", name_of(assessment.unit)},
                   {"resamples", assessment.bootstrap.resamples},
                   {"seed", assessment.bootstrap.seed},
                   {"level", 0.95}}},
                 {"scores", json_of(assessment.scores, assessment.targets)},
                 {"without_network", std::move(without)},
                 {"bins", bins_json(assessment)},
                 {"notes", assessment.notes},
                 {"baseline", nullptr}};
    if (assessment.other.empty()) return json;
    Json ratios = Json::object();
    for (std::size_t t = 0; t < assessment.targets.size(); ++t)
        ratios[assessment.targets[t].name] = json_of(assessment.ratio.targets[t]);
    json["baseline"] = {{"network", assessment.other},
                        {"scores", json_of(assessment.other_scores, assessment.targets)},
                        {"ratio", json_of(assessment.ratio.all)},
                        {"target_ratios", std::move(ratios)}};
    return json;
}

}  // namespace edgeloop
