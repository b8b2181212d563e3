#include "large_candidates.hpp"

#include <algorithm>

namespace edgeloop {

LargeCandidates::LargeCandidates(std::vector<Block> blocks, std::vector<Group>& groups,
                                 const GroupAccounts& accounts)
    : blocks_(std::move(blocks)), groups_(groups), accounts_(accounts) {
    for (std::size_t i = 0; i < blocks_.size(); ++i)
        for (const std::size_t member : blocks_[i]) groups_[member].block = i;
}

bool LargeCandidates::waits(CandidateId id) const {
    return std::any_of(waiting_.begin(), waiting_.end(),
                       [id](const Candidate& each) { return each.id == id; });
}

bool LargeCandidates::remove(CandidateId id) {
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [id](const Candidate& each) { return each.id == id; });
    if (found == waiting_.end()) return false;
    waiting_.erase(found);
    return true;
}

std::vector<int> LargeCandidates::ranks_of(const Group& first) const {
    if (!first.joined) return first.ranks;
    std::vector<int> ranks;
    for (const std::size_t member : block_of(first))
        ranks.insert(ranks.end(), groups_[member].ranks.begin(), groups_[member].ranks.end());
    return ranks;
}

std::vector<const LargeCandidates::Block*> LargeCandidates::able_blocks() const {
    std::vector<const Block*> able;
    for (const Block& block : blocks_)
        if (std::none_of(block.begin(), block.end(),
                         [this](std::size_t member) { return groups_[member].stalled; }))
            able.push_back(&block);
    std::stable_sort(able.begin(), able.end(), [this](const Block* a, const Block* b) {
        return std::pair(!trusted(*a), load_of(*a)) < std::pair(!trusted(*b), load_of(*b));
    });
    return able;
}

std::vector<std::pair<const LargeCandidates::Block*, Candidate>>
LargeCandidates::begin_those_that_can() {
    for (Group& group : groups_) group.reserved = false;
    std::vector<std::pair<const Block*, Candidate>> begun;
    if (waiting_.empty()) return begun;
    std::size_t reserved = 0;
    for (const Block* block : able_blocks()) {
        if (waiting_.empty()) break;
        Group& first = groups_[block->front()];
        if (load_of(*block) == 0) {
            first.joined = true;
            for (const std::size_t member : *block) groups_[member].lent = member != block->front();
            begun.emplace_back(block, std::move(waiting_.front()));
            waiting_.pop_front();
        } else if (reserved < waiting_.size() && !first.joined) {
            for (const std::size_t member : *block) groups_[member].reserved = true;
            ++reserved;
        }
    }
    return begun;
}

std::deque<Candidate> LargeCandidates::take_impossible() {
    if (waiting_.empty() || !able_blocks().empty()) return {};
    return std::exchange(waiting_, {});
}

void LargeCandidates::part(Group& first) {
    if (!first.joined) return;
    first.joined = false;
    for (const std::size_t member : block_of(first)) groups_[member].lent = false;
}

bool LargeCandidates::trusted(const Block& block) const {
    return std::all_of(block.begin(), block.end(),
                       [this](std::size_t member) { return accounts_.trusted(member); });
}

std::size_t LargeCandidates::load_of(const Block& block) const {
    std::size_t load = 0;
    for (const std::size_t member : block)
        load += groups_[member].load() + (groups_[member].lent ? 1 : 0);
    return load;
}

}  // namespace edgeloop
