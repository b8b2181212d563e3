#include "edgeloop/search/archive.hpp"

#include <algorithm>
#include <tuple>

namespace edgeloop {
namespace {

enum class Comparison { first_better, second_better, neither };

Comparison compare(const std::vector<double>& a, const std::vector<double>& b) {
    bool a_wins = false, b_wins = false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        a_wins |= a[i] < b[i];
        b_wins |= b[i] < a[i];
    }
    if (a_wins == b_wins) return Comparison::neither;
    return a_wins ? Comparison::first_better : Comparison::second_better;
}

}  // namespace

bool Archive::add(const CompletedCandidate& completed, std::vector<double> objectives) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const Comparison order = compare(members_[i].objectives, objectives);
        if (order == Comparison::first_better) return false;  // then nobody has left before it
        if (order == Comparison::second_better) continue;
        if (kept != i) members_[kept] = std::move(members_[i]);
        ++kept;
    }
    members_.resize(kept);
    members_.push_back({completed, std::move(objectives)});
    return true;
}

std::vector<ArchiveMember> Archive::sorted() const {
    std::vector<ArchiveMember> members = members_;
    std::sort(members.begin(), members.end(), [](const ArchiveMember& a, const ArchiveMember& b) {
        return std::tie(a.objectives, a.completed.candidate.id) <
               std::tie(b.objectives, b.completed.candidate.id);
    });
    return members;
}

std::vector<std::vector<double>> Archive::points() const {
    std::vector<std::vector<double>> points;
    points.reserve(members_.size());
    for (const ArchiveMember& member : members_) points.push_back(member.objectives);
    return points;
}

}  // namespace edgeloop
