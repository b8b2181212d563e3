#include "edgeloop/adaptation/adapt.hpp"

#include "adaptation/judge.hpp"
#include "adaptation/teacher.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/inference/model_file.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::adaptation {
namespace {

constexpr std::size_t fewest_lines = 8;  // on each side

void check_fit(const inference::Graph& graph, const LabelledClips& clips,
               const std::vector<inference::OutputTarget>& targets, const AdaptOptions& options) {
    if (static_cast<std::size_t>(graph.input.grid[0]) != clips.frames())
        throw ConfigError(
            fmt::format("'{}' has clips of {} frames", options.labelled, clips.frames()),
            fmt::format("the model takes {}", graph.input.grid[0]));
    if (targets.size() != clips.targets())
        throw ConfigError(
            fmt::format("'{}' has {} labels for each clip", options.labelled, clips.targets()),
            fmt::format("the model has {} targets", targets.size()));
}

/// The bytes that are left for the network beside the optimiser's states.
std::size_t network_limit(const AdaptOptions& options, const inference::Graph& graph) {
    if (options.memory_limit_mib == 0) return 0;
    const auto count = static_cast<std::size_t>(inference::parameters(graph));
    const std::size_t states = Optimiser(count, options.optimiser).bytes();
    const auto limit = static_cast<std::size_t>(options.memory_limit_mib * bytes_per_mib);
    return limit > states ? limit - states : 1;
}

/// One-sided, at 95 %: whether the mean of differences is above 0.
bool is_above_zero(const std::vector<double>& differences) {
    const auto n = static_cast<double>(differences.size());
    double sum = 0, squares = 0;
    for (const double d : differences) sum += d;
    const double mean = sum / n;
    for (const double d : differences) squares += (d - mean) * (d - mean);
    constexpr double quantile = 1.645;  // of the normal distribution
    return mean > quantile * std::sqrt(squares / (n - 1) / n);
}

std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> result(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) result[i] = a[i] - b[i];
    return result;
}

std::string verdict(const Verdict& before, const Verdict& after,
                    const std::vector<double>& of_mean) {
    if (!std::isfinite(after.judgement.rmse)) return "its answers are no numbers";
    if (!is_above_zero(differences(of_mean, after.errors)))
        return "it is not better than the mean of the labels that it learnt from: they say nothing "
               "of the frames, or are too few";
    if (!is_above_zero(differences(before.errors, after.errors)))
        return "it is not better than the model there is";
    return {};
}

}  // namespace

Json AdaptReport::json() const {
    const auto judgement = [](const Judgement& one) {
        return Json{{"r2", one.r2}, {"rmse", one.rmse}};
    };
    return {{"lines", lines},
            {"held_back", held_back},
            {"clips", clips},
            {"before", judgement(before)},
            {"after", judgement(after)},
            {"kept", is_kept},
            {"why_not", why_not},
            {"quantised", was_quantised},
            {"segments", segments},
            {"seconds", seconds},
            {"memory_bytes",
             {{"weights", memory.weights},
              {"gradients", memory.gradients},
              {"optimiser", optimiser_bytes},
              {"results", memory.kept + memory.segment + memory.flow},
              {"scratch", memory.scratch},
              {"total", state_bytes()}}}};
}

AdaptReport adapt(const AdaptOptions& options) {
    const double start = steady_seconds();
    AdaptReport report;
    inference::Graph graph = inference::read_model(options.model);
    const LabelledClips clips(options.labelled);
    const ClipReader reader(graph);
    check_fit(graph, clips, reader.targets(), options);
    const Parts parts = split_lines(clips, options.held_back, options.seed);
    report.lines = parts.learnt_lines + parts.held_back_lines;
    report.held_back = parts.held_back_lines;
    report.clips = clips.count();
    if (std::min(parts.learnt_lines, parts.held_back_lines) < fewest_lines)
        throw ConfigError(
            fmt::format("'{}' has {} lines, of which {} are held back", options.labelled,
                        report.lines, report.held_back),
            fmt::format("at least {} are needed to learn from and to judge by each", fewest_lines),
            "label more lines");
    for (const inference::Layer& layer : graph.layers)
        report.was_quantised = report.was_quantised || layer.integer.weight_bits != 0;
    const Verdict before = judge(graph, clips, parts.held_back);
    const std::vector<double> of_mean = errors_of_mean(clips, reader.targets(), parts);

    graph.metadata["weights"] =
        "adapted " + digest(read_file(options.model)).hex();  // what it was before
    const std::size_t limit = network_limit(options, graph);
    {
        Teacher teacher(std::move(graph), limit, options);
        report.memory = teacher.network().memory();
        report.segments = teacher.network().segments();
        report.optimiser_bytes = teacher.optimiser_bytes();
        teacher.teach(clips, parts.learnt);
        graph = teacher.take_graph();
    }
    const Verdict after = judge(graph, clips, parts.held_back);
    report.before = before.judgement;
    report.after = after.judgement;
    report.why_not = verdict(before, after, of_mean);
    report.is_kept = report.why_not.empty();
    if (report.is_kept) write_file_atomic(options.out, inference::encode_model(graph));
    report.seconds = steady_seconds() - start;
    return report;
}

}  // namespace edgeloop::adaptation
