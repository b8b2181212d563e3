#include "remote_runner.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/quantile.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop {
namespace {

constexpr double least_ms = 1e-6;  ///< no run takes no time

double milliseconds(std::int64_t from_ns, std::int64_t to_ns) {
    return static_cast<double>(to_ns - from_ns) * 1e-6;
}

/// Marks of a command, again when somebody sets the clock meanwhile.
std::vector<StampedMark> marks_of(JobProcess& process, const Json& command) {
    while (true) {
        process.channel().begin_stretch();
        (void)process.ask(command);
        std::vector<StampedMark> marks = process.channel().stretch();
        if (!process.channel().clock_was_set()) return marks;
    }
}

[[noreturn]] void refuse_marks() {
    throw ConfigError("the process of the job does not mark its runs as it should");
}

/// What marking takes is looked at between spins that last about as long as a short run; the first
/// find the caches cold.
constexpr std::size_t pairs = 100, first_pairs = 5;
constexpr double spin_us = 50;
constexpr int rounds = 4;

double mark_ms_of(const std::vector<StampedMark>& spins) {
    constexpr std::size_t enough = 10;
    std::vector<double> all, undisturbed;
    for (std::size_t i = 2 * first_pairs + 1; i < spins.size(); i += 2) {
        all.push_back(milliseconds(spins[i - 1].at_ns, spins[i].at_ns) -
                      spins[i].mark.value * 1e-6);
        if (spins[i].mark.alone != 0) undisturbed.push_back(all.back());
    }
    if (all.empty()) refuse_marks();
    return std::max(0.0, median(undisturbed.size() >= enough ? undisturbed : all));
}

}  // namespace

Rehearsal rehearse(JobProcess& process) {
    const std::size_t room = process.channel().capacity();
    const Json calibrate = {{"do", "calibrate"},
                            {"marks", std::min(room, 2 * (pairs + first_pairs))},
                            {"spin_us", spin_us}};
    Rehearsal reference;
    reference.mark_ms = mark_ms_of(marks_of(process, calibrate));
    // The shortest, so that a moment in which the core is shared makes no network faster.
    for (int again = 1; again < rounds; ++again)
        reference.mark_ms = std::min(reference.mark_ms, mark_ms_of(marks_of(process, calibrate)));

    const std::vector<StampedMark> parts = marks_of(process, {{"do", "rehearse"}, {"marks", room}});
    std::vector<double> looks, preparations;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const double took = milliseconds(parts[i - 1].at_ns, parts[i].at_ns) - reference.mark_ms;
        if (parts[i].mark.kind == Mark::looked) looks.push_back(took);
        if (parts[i].mark.kind == Mark::prepared) preparations.push_back(took);
    }
    if (looks.empty()) refuse_marks();
    reference.look_ms = std::max(0.0, median(std::move(looks)));
    if (!preparations.empty())
        reference.prepared_ms = std::max(0.0, median(std::move(preparations)));
    return reference;
}

bool is_stretch(const std::vector<StampedMark>& marks, bool prepares) {
    if (marks.empty() || marks.front().mark.kind != Mark::begun ||
        marks.back().mark.kind != Mark::looked)
        return false;
    for (std::size_t i = 1; i < marks.size(); ++i) {
        const std::uint32_t before = marks[i - 1].mark.kind, kind = marks[i].mark.kind;
        const bool fits = kind == Mark::prepared ? prepares && before != Mark::prepared
                          : kind == Mark::done   ? (before == Mark::prepared) == prepares
                                                 : kind == Mark::looked && before == Mark::done;
        if (!fits || marks[i].at_ns < marks[i - 1].at_ns) return false;
    }
    return true;
}

RemoteRunner::RemoteRunner(JobProcess& process, const Rehearsal& reference, const Options& options)
    : process_(process), reference_(reference), options_(options) {
    fetch();
    last_ns_ = marks_.front().at_ns;
}

void RemoteRunner::fetch() {
    marks_ = marks_of(
        process_,
        {{"do", "run"}, {"marks", process_.channel().capacity()}, {"seconds", options_.stretch_s}});
    if (!is_stretch(marks_, options_.prepares)) refuse_marks();
    at_ = 0;
    seconds_ += 1e-3 * milliseconds(marks_.front().at_ns, marks_.back().at_ns);
    runs_ += static_cast<std::size_t>(
        std::count_if(marks_.begin(), marks_.end(),
                      [](const StampedMark& stamped) { return stamped.mark.kind == Mark::done; }));
}

const StampedMark& RemoteRunner::next() {
    if (at_ == marks_.size()) fetch();
    return marks_[at_++];
}

double RemoteRunner::take(const StampedMark& stamped) {
    const double took = milliseconds(last_ns_, stamped.at_ns) - reference_.mark_ms;
    last_ns_ = stamped.at_ns;
    return std::max(took, least_ms);
}

RunTimes RemoteRunner::run() {
    RunTimes times;
    while (true) {
        const StampedMark& stamped = next();
        switch (stamped.mark.kind) {
            case Mark::looked:
                looks_ms_.push_back(take(stamped));
                break;
            case Mark::prepared:
                times.prepared_ms = take(stamped);
                break;
            case Mark::done:
                times.run_ms = take(stamped);
                return times;
            default:
                last_ns_ = stamped.at_ns;
        }
    }
}

bool RemoteRunner::ends_block(double) {
    return at_ < marks_.size() && marks_[at_].mark.kind == Mark::looked;
}

double RemoteRunner::speed() {
    while (true) {
        const StampedMark& stamped = next();
        if (stamped.mark.kind != Mark::looked) {
            last_ns_ = stamped.at_ns;
            continue;
        }
        looks_ms_.push_back(take(stamped));
        if (!options_.looks) return 1;
        const double mhz = stamped.mark.value;
        const bool sound = std::isfinite(mhz) && mhz > 0;
        if (sound) clocks_mhz_.push_back(mhz);
        if (!sound || stamped.mark.alone == 0) return 0;
        return options_.clock_varies ? mhz : 1;
    }
}

}  // namespace edgeloop
