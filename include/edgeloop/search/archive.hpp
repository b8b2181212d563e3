#pragma once

#include "edgeloop/core/dominance.hpp"
#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/evaluation/goals.hpp"

#include <utility>
#include <vector>

namespace edgeloop {

/// A member of the front with its objectives at hand.
struct ArchiveMember {
    CompletedCandidate completed;
    std::vector<double> objectives;
    CandidateId weights = 0;  ///< the training whose weights are the member's; 0: its own
};

/// Every feasible non-dominated candidate ever completed; nothing is ever thinned out.
///
/// The content does not depend on the order of arrival. Members with equal objectives are all kept.
class Archive {
  public:
    Archive() = default;
    /// REQUIRES: members of an archive, e.g. of a saved one.
    explicit Archive(std::vector<ArchiveMember> members) : members_(std::move(members)) {}

    /// Adds the candidate unless a member dominates it; members it dominates leave.
    /// @return whether it was added. Complexity: O(M N) for M objectives, N members.
    bool add(const CompletedCandidate& completed, std::vector<double> objectives) {
        return add({completed, std::move(objectives)});
    }
    bool add(ArchiveMember member);
    [[nodiscard]] const std::vector<ArchiveMember>& members() const noexcept { return members_; }
    /// Ascending by first objective, then the next ones, then id.
    [[nodiscard]] std::vector<ArchiveMember> sorted() const;
    /// Objectives alone. Shape (members, objectives).
    [[nodiscard]] Points points() const;

  private:
    std::vector<ArchiveMember> members_;
};

}  // namespace edgeloop
