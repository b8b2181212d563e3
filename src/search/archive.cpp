#include "edgeloop/search/archive.hpp"

#include <algorithm>
#include <tuple>

namespace edgeloop {
bool Archive::add(ArchiveMember member) {
    const std::vector<double>& objectives = member.objectives;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (dominates(members_[i].objectives, objectives)) return false;  // nobody left before it
        if (dominates(objectives, members_[i].objectives)) continue;
        if (kept != i) members_[kept] = std::move(members_[i]);
        ++kept;
    }
    members_.resize(kept);
    members_.push_back(std::move(member));
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

Points Archive::points() const {
    Points points;
    points.reserve(members_.size());
    for (const ArchiveMember& member : members_) points.push_back(member.objectives);
    return points;
}

}  // namespace edgeloop
