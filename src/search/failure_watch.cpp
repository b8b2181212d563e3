#include "search/failure_watch.hpp"

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t first_ends = 8;  ///< all alike: it never worked
constexpr std::size_t window = 20;     ///< later ends that are looked at together
constexpr std::size_t min_alike = 18;  ///< of the window

bool is_failure(Status status) {
    return status == Status::failed || status == Status::lost || status == Status::timed_out;
}

/// Candidates, ranks and sizes differ from one failure to the next; what happened does not.
std::string without_numbers(const std::string& reason) {
    std::string kind;
    for (const unsigned char c : reason)
        if (std::isdigit(c) == 0 && c != '.') kind.push_back(static_cast<char>(c));
    return kind;
}

}  // namespace

void FailureWatch::note(Status status, const std::string& reason) {
    ++ends_;
    const bool failed = is_failure(status);
    last_.push_back({failed ? to_string(status) + (" " + without_numbers(reason)) : std::string(),
                     failed ? reason : std::string()});
    if (last_.size() > window) last_.pop_front();
}

std::optional<std::string> FailureWatch::diagnosis() const {
    if (last_.size() < first_ends) return std::nullopt;
    std::map<std::string, std::size_t> counts;
    for (const End& end : last_)
        if (!end.kind.empty()) ++counts[end.kind];
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, auto& b) { return a.second < b.second; });
    if (most == counts.end()) return std::nullopt;
    const bool never_worked = ends_ == last_.size() && most->second == ends_;
    if (!never_worked && most->second < min_alike) return std::nullopt;
    const auto newest = std::find_if(last_.rbegin(), last_.rend(),
                                     [&](const End& end) { return end.kind == most->first; });
    return fmt::format("{} of the last {} designs failed for the same reason: {}", most->second,
                       last_.size(), newest->reason);
}

}  // namespace edgeloop
