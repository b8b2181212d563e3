#include "apps/search_console.hpp"

#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::apps {
namespace {

constexpr std::size_t max_table = 25;  // rows

// Columns of equal width, right aligned; one line a row. Names of columns and choices are those of
// files, by which others name them: they are clean only where they are shown.
std::vector<std::string> aligned(std::vector<std::vector<std::string>> rows) {
    for (auto& row : rows)
        for (std::string& cell : row) cell = printable(cell);
    std::vector<std::size_t> widths(rows[0].size());
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    std::vector<std::string> lines;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += fmt::format("  {:>{}}", row[i], widths[i]);
        lines.push_back(line);
    }
    return lines;
}

// Of an objective, with its standard error if it is a mean: "0.2751 +- 0.02".
std::string value_text(const ArchiveMember& member, std::size_t i, const std::string& objective) {
    const std::string text = fmt::format("{:.4g}", member.objectives[i]);
    const auto error = member.completed.metrics.find(objective + "_se");
    return error == member.completed.metrics.end()
               ? text
               : text + fmt::format(" +- {:.2g}", error->second);
}

// Genes as text, e.g. "family=cnn3d clip.side=16"; those that do not exist are left out.
std::string design_text(const std::vector<std::string>& values, const SearchSpace& space,
                        const std::vector<bool>& common, bool wants_common) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < values.size(); ++i)
        if (common[i] == wants_common && !values[i].empty())
            words.push_back(fmt::format("{}={}", space.variables()[i].name, values[i]));
    return printable(fmt::format("{}", fmt::join(words, " ")));
}

// For a shell: quoted where it has to be.
std::string shell_word(const std::string& text) {
    const auto plain = [](unsigned char c) {
        return std::isalnum(c) != 0 || std::strchr("_./:=@%+-,", c) != nullptr;
    };
    if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

// A program of ours as a shell finds it: beside this one, or else by its name.
std::string command_of(const std::string& program) {
    try {
        return shell_word(sibling_program(program));
    } catch (const Error&) {
        return program;
    }
}

}  // namespace

std::string progress_line(const Progress& progress, const Goals& goals) {
    std::string line = progress.total > 0 ? fmt::format("{}/{} designs", progress.done,
                                                        std::max(progress.done, progress.total))
                                          : plural(progress.done, "design");
    if (progress.effort && progress.effort->total > 0)
        line += fmt::format(" | {:.6g}/{:.6g} {} ({:.0f} %)", progress.effort->spent,
                            progress.effort->total, progress.effort->unit,
                            100 * progress.effort->spent / progress.effort->total);
    for (const std::string& objective : goals.objectives) {
        const auto best = progress.best.find(objective);
        if (best == progress.best.end()) continue;
        const Metric* metric = find_metric(objective);
        const std::string_view device_class = split_metric(objective).device_class;
        if (metric != nullptr && !metric->best.empty())  // a word for it, e.g. "fastest 0.31 ms"
            line +=
                fmt::format(" | {}{}{} {:.3g} {}", metric->best, device_class.empty() ? "" : " on ",
                            device_class, best->second, metric->unit);
        else
            line += fmt::format(" | best {} {:.4g}", objective, best->second);
    }
    if (progress.hypervolume)
        line += fmt::format(" | hypervolume {:.4g} up to {:.4g}", *progress.hypervolume,
                            fmt::join(progress.reference, ", "));
    if (progress.confirms && progress.front > 0)
        line +=
            fmt::format(" | {} of {} on the front confirmed", progress.confirmed, progress.front);
    for (const Status status : {Status::failed, Status::lost, Status::timed_out})
        if (const auto found = progress.by_status.find(status);
            found != progress.by_status.end() && found->second > 0)
            line += fmt::format(" | {} {}", found->second, to_string(status));
    if (progress.front_not_valid > 0)
        line += fmt::format(" | {} of {} on the front not valid", progress.front_not_valid,
                            progress.front);
    if (progress.eta_seconds) line += fmt::format(" | ETA {}", duration(*progress.eta_seconds));
    if (progress.link) line += fmt::format(" | edge: {}", progress.link->text);
    return printable(line);
}

std::string front_table(const std::vector<ArchiveMember>& front, const Goals& goals,
                        const SearchSpace& space) {
    const std::size_t shown = std::min(front.size(), max_table);
    if (shown == 0) return {};
    std::vector<std::vector<std::string>> rows(shown + 1);
    rows[0].emplace_back("id");
    rows[0].insert(rows[0].end(), goals.objectives.begin(), goals.objectives.end());
    const bool all_valid = std::all_of(front.begin(), front.end(), [](const auto& member) {
        return measured_validly(member.completed.metrics);
    });
    if (!all_valid) rows[0].emplace_back("valid");
    std::vector<std::vector<std::string>> genes;
    for (std::size_t i = 0; i < shown; ++i) {
        const ArchiveMember& member = front[i];
        rows[i + 1].push_back(fmt::format("{}", member.completed.candidate.id));
        for (std::size_t k = 0; k < member.objectives.size(); ++k)
            rows[i + 1].push_back(value_text(member, k, goals.objectives[k]));
        if (!all_valid)
            rows[i + 1].emplace_back(measured_validly(member.completed.metrics) ? "yes" : "NO");
        genes.push_back(space.describe(member.completed.candidate.genome));
    }
    std::vector<bool> common(space.variables().size());
    for (std::size_t i = 0; i < common.size(); ++i)
        common[i] = shown > 1 && std::all_of(genes.begin(), genes.end(), [&](const auto& each) {
                        return each[i] == genes[0][i];
                    });
    std::vector<std::string> lines = aligned(std::move(rows));
    lines[0] += "  design";
    for (std::size_t i = 0; i < shown; ++i)
        lines[i + 1] += "  " + design_text(genes[i], space, common, false);
    std::string text = fmt::format("{}\n", fmt::join(lines, "\n"));
    if (shown < front.size())
        text += fmt::format("  ... and {} more in pareto.csv\n", front.size() - shown);
    if (const std::string same = design_text(genes[0], space, common, true); !same.empty())
        text += fmt::format("  all of these: {}\n", same);
    return text;
}

std::string confirmation_lines(const Progress& progress, std::size_t confirm) {
    if (!progress.confirms) return {};
    std::string text;
    if (progress.repeats > 0)
        text = fmt::format(
            "errors are means of {} trainings with other seeds, +- their standard error; {} "
            "confirmed {} in all\n",
            confirm, plural(progress.repeats, "training"),
            plural(progress.repeats / confirm, "design"));
    if (progress.left_unconfirmed > 0)
        text += fmt::format(
            "{} left out of the front unconfirmed: no more trainings confirm than there are "
            "designs\n",
            plural(progress.left_unconfirmed, "design"));
    return text;
}

std::string baseline_lines(const std::vector<ArchiveMember>& front) {
    constexpr double none = std::numeric_limits<double>::infinity();
    double rmse = none, baseline = none;
    std::vector<CandidateId> beaten;
    for (const ArchiveMember& member : front) {
        const Metrics& metrics = member.completed.metrics;
        if (metrics.count("val_rmse") == 0) continue;
        rmse = std::min(rmse, metrics.at("val_rmse"));
        if (metrics.count("baseline_rmse") == 0) continue;
        baseline = std::min(baseline, metrics.at("baseline_rmse"));
        if (metrics.at("val_rmse") >= metrics.at("baseline_rmse"))
            beaten.push_back(member.completed.candidate.id);
    }
    if (baseline == none) return {};
    const double change = 100 * (rmse / baseline - 1);
    std::string text =
        fmt::format("best val_rmse {:.4f}, {:.0f} % {} than without a network ({:.4f})\n", rmse,
                    std::abs(change), change > 0 ? "worse" : "better", baseline);
    if (!beaten.empty())
        text += fmt::format(
            "{} no better than without a network (baseline_rmse in pareto.csv): {}; "
            "train longer (--epochs) or on more data\n",
            beaten.size() == 1 ? "design that is" : "designs that are", fmt::join(beaten, ", "));
    return text;
}

std::string cost_line(std::uint64_t done, const StartCosts& costs) {
    const auto share = [&](double seconds) {
        return costs.elapsed_s > 0 ? 100 * seconds / costs.elapsed_s : 0.0;
    };
    std::string line = fmt::format("{} in {}", plural(done - costs.done_before, "design"),
                                   duration(costs.elapsed_s));
    if (costs.done_before > 0)
        line += fmt::format(" ({} were done in earlier starts)", costs.done_before);
    line += fmt::format("; journal, checkpoints and tables took {:.2f} % of that time",
                        std::min(100.0, share(costs.storing_s)));
    if (costs.coordinating_s >= 0)
        line += fmt::format("; rank 0 used {:.2f} % of a core", share(costs.coordinating_s));
    return line;
}

std::vector<NextStep> next_steps(const std::string& run_dir, const std::string& shards) {
    const auto path = [&](const std::string& name) { return shell_word(run_dir + "/" + name); };
    std::vector<NextStep> steps{
        {"look at the run", command_of("edgeloop-report") + " " + shell_word(run_dir)}};
    if (shards.empty()) return steps;
    const std::string model = command_of("edgeloop-model"), data = shell_word(shards);
    steps.push_back({"train its knee in full",
                     fmt::format("{} train --from {} --select knee --data {} --out {}", model,
                                 shell_word(run_dir), data, path("trained"))});
    steps.push_back({"hand that over", fmt::format("{} deploy --model {} --data {} --out {}", model,
                                                   path("trained"), data, path("handover"))});
    return steps;
}

std::string closing_lines(const std::string& run_dir, const std::vector<NextStep>& steps,
                          const std::string& way_on) {
    std::string text = fmt::format(
        "\nwritten to {}: pareto.csv (the front), evaluations.csv (every design)\nnext:\n",
        run_dir);
    for (const NextStep& step : steps)
        text += fmt::format("  {:<24}{}\n", step.what + ':', step.command);
    if (!way_on.empty())
        text += fmt::format("  {:<24}the same command with {}, and --resume\n",
                            "more designs:", way_on);
    return text;
}

}  // namespace edgeloop::apps
