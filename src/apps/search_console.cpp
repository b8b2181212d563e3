#include "apps/search_console.hpp"

#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/clock.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace edgeloop::apps {
namespace {

constexpr double seconds_between_lines = 5;
constexpr std::size_t longest_table = 25;    // rows
constexpr std::size_t longest_design = 100;  // characters

// "best val_rmse 0.09" or, for a latency, "fastest 0.31 ms".
std::string best_of(const std::string& objective, double value) {
    if (objective == "latency_ms") return fmt::format("fastest {:.3g} ms", value);
    return fmt::format("best {} {:.4g}", objective, value);
}

// Columns of equal width, right aligned; one line a row.
std::vector<std::string> aligned(const std::vector<std::vector<std::string>>& rows) {
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

// The genes that exist, e.g. "family=cnn3d clip.side=16 ...", cut to what fits a line.
std::string design_text(const Genome& genome, const SearchSpace& space) {
    const std::vector<std::string> values = space.describe(genome);
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i].empty()) continue;
        text += fmt::format("{}={} ", space.variables()[i].name, values[i]);
        if (text.size() > longest_design) return text.substr(0, longest_design) + "...";
    }
    return text;
}

}  // namespace

std::string duration(double seconds) {
    const auto whole = static_cast<long>(std::llround(seconds));
    if (whole >= 3600)
        return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
    return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string progress_line(const Progress& progress, const Goals& goals) {
    std::string line = fmt::format("{}/{} designs", progress.done, progress.total);
    for (const std::string& objective : goals.objectives)
        if (const auto best = progress.best.find(objective); best != progress.best.end())
            line += " | " + best_of(objective, best->second);
    if (progress.hypervolume) line += fmt::format(" | hypervolume {:.4g}", *progress.hypervolume);
    for (const Status status : {Status::failed, Status::lost, Status::timed_out})
        if (const auto found = progress.by_status.find(status);
            found != progress.by_status.end() && found->second > 0)
            line += fmt::format(" | {} {}", found->second, to_string(status));
    if (progress.eta_seconds) line += fmt::format(" | ETA {}", duration(*progress.eta_seconds));
    if (progress.link) line += fmt::format(" | edge: {}", progress.link->text);
    return line;
}

ProgressPrinter::ProgressPrinter(Goals goals)
    // mpirun gives its ranks a pseudo-terminal even when its own output goes to a file.
    : goals_(std::move(goals)), terminal_(::isatty(STDOUT_FILENO) != 0 && !launched_by_mpi()) {}

void ProgressPrinter::operator()(const Progress& progress) {
    const bool last = progress.phase != "running";
    const double now = steady_seconds();
    if (!terminal_ && !last && now < next_) return;
    next_ = now + seconds_between_lines;
    const std::string line = progress_line(progress, goals_);
    if (terminal_) {
        std::printf("\r%-*s%s", static_cast<int>(width_), line.c_str(), last ? "\n" : "");
        width_ = line.size();
    } else {
        std::printf("%s\n", line.c_str());
    }
    std::fflush(stdout);
}

std::string front_table(const std::vector<ArchiveMember>& front, const Goals& goals,
                        const SearchSpace& space) {
    const std::size_t shown = std::min(front.size(), longest_table);
    std::vector<std::vector<std::string>> rows(shown + 1);
    rows[0].emplace_back("id");
    rows[0].insert(rows[0].end(), goals.objectives.begin(), goals.objectives.end());
    for (std::size_t i = 0; i < shown; ++i) {
        const ArchiveMember& member = front[i];
        rows[i + 1].push_back(fmt::format("{}", member.completed.candidate.id));
        for (const double value : member.objectives)
            rows[i + 1].push_back(fmt::format("{:.4g}", value));
    }
    std::vector<std::string> lines = aligned(rows);
    lines[0] += "  design";
    for (std::size_t i = 0; i < shown; ++i)
        lines[i + 1] += "  " + design_text(front[i].completed.candidate.genome, space);
    std::string text = fmt::format("{}\n", fmt::join(lines, "\n"));
    if (shown < front.size())
        text += fmt::format("  ... and {} more in pareto.csv\n", front.size() - shown);
    return text;
}

}  // namespace edgeloop::apps
