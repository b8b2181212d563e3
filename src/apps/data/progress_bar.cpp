#include "apps/data/progress_bar.hpp"

#include "edgeloop/core/clock.hpp"

#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr double redraw_s = 0.2;
constexpr double plain_line_s = 10;
constexpr std::size_t bar_width = 30;

/// E.g. "shard [#####-----] 50 %  1200 frames/s  ETA 0:12".
std::string progress_line(const std::string& title, const std::string& unit,
                          const JobProgress& progress, double elapsed_s) {
    const double fraction =
        progress.total == 0 ? 1.0 : double(progress.done) / double(progress.total);
    const double rate = elapsed_s > 0 ? double(progress.done) / elapsed_s : 0;
    const double left_s = rate > 0 ? double(progress.total - progress.done) / rate : 0;
    const auto filled = static_cast<std::size_t>(fraction * double(bar_width));
    const auto seconds = static_cast<long>(left_s + 0.5);
    return fmt::format("{} [{}{}] {:3.0f} %  {:.0f} {}/s  ETA {}:{:02}", title,
                       std::string(filled, '#'), std::string(bar_width - filled, '-'),
                       100 * fraction, rate, unit, seconds / 60, seconds % 60);
}

}  // namespace

ProgressBar::ProgressBar(std::string title, std::string unit, bool quiet)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      quiet_(quiet),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_s_(steady_seconds()),
      shown_s_(start_s_) {}

void ProgressBar::operator()(const JobProgress& progress) {
    if (quiet_) return;
    const double now_s = steady_seconds();
    const bool complete = progress.done == progress.total;
    if (now_s - shown_s_ < (terminal_ ? redraw_s : plain_line_s) && !(complete && terminal_))
        return;
    shown_s_ = now_s;
    const std::string line = progress_line(title_, unit_, progress, now_s - start_s_);
    if (terminal_)
        std::fprintf(stderr, "\r%s\033[K", line.c_str());
    else
        std::fprintf(stderr, "%s\n", line.c_str());
    drawn_ = true;
}

void ProgressBar::finish() {
    if (drawn_ && terminal_) std::fputc('\n', stderr);
    drawn_ = false;
}

}  // namespace edgeloop
