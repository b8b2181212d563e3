#pragma once

#include "group.hpp"
#include "group_accounts.hpp"

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

namespace edgeloop {

/// Candidates that a whole block of groups trains together, and the blocks for which they wait.
class LargeCandidates {
  public:
    using Block = std::vector<std::size_t>;  ///< numbers of groups; the first one leads

    /// The references must outlive it.
    LargeCandidates(std::vector<Block> blocks, std::vector<Group>& groups,
                    const GroupAccounts& accounts);

    [[nodiscard]] bool have_blocks() const { return !blocks_.empty(); }
    void add(const Candidate& candidate) { waiting_.push_back(candidate); }
    [[nodiscard]] bool waits(CandidateId id) const;
    /// False: it does not wait.
    bool remove(CandidateId id);

    /// Joins blocks that are idle, each for one of those that wait, and keeps others free for the
    /// rest: as many as wait, the ones that will be idle soonest.
    [[nodiscard]] std::vector<std::pair<const Block*, Candidate>> begin_those_that_can();
    /// Those that wait when no block can join any more.
    [[nodiscard]] std::deque<Candidate> take_impossible();
    /// Its candidate has ended: the groups of the block work for themselves again.
    void part(Group& first);
    /// Ranks of this group, and of those that work under it.
    [[nodiscard]] std::vector<int> ranks_of(const Group& first) const;
    [[nodiscard]] bool trusted(const Block& block) const;
    [[nodiscard]] const Block& block_of(const Group& group) const { return blocks_[group.block]; }

  private:
    [[nodiscard]] std::vector<const Block*> able_blocks() const;
    /// Candidates that this block still has to do before it can join.
    [[nodiscard]] std::size_t load_of(const Block& block) const;

    std::vector<Block> blocks_;
    std::vector<Group>& groups_;
    const GroupAccounts& accounts_;
    std::deque<Candidate> waiting_;
};

}  // namespace edgeloop
