#include "search/scouts.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace edgeloop {

bool Scouts::send(const ActiveCandidates& active) {
    const LinkState link = probe_->link();
    if (!probe_->computes() && (!link.up || link.devices == 0)) {
        forget();
        return false;
    }
    constexpr std::size_t at_once_when_computed = 8;
    const std::size_t devices = probe_->computes() ? at_once_when_computed : link.devices;
    const EngineState& state = engine_.state();
    const std::uint64_t wanted = static_cast<std::uint64_t>(ahead_) * state.done;
    const auto measuring = static_cast<std::size_t>(std::count_if(
        active.begin(), active.end(), [](const auto& each) { return each.second.measuring; }));
    bool sent = false;
    while (measuring + under_way_.size() < devices &&
           state.model.scouts + under_way_.size() + lost_ < wanted) {
        std::optional<Candidate> scout = engine_.scout();
        if (!scout) break;
        sent = true;
        const CandidateId id = scout->id;
        probe_->submit(under_way_[id] = std::move(*scout));
    }
    return sent;
}

void Scouts::take(Outcome outcome) {
    const auto found = under_way_.find(outcome.id);
    if (found == under_way_.end()) return;
    // One that was measured badly is as good as not measured.
    if (outcome.status == Status::completed && !rules_.usable(outcome))
        outcome.status = Status::lost;
    const bool lost = outcome.status == Status::lost || outcome.status == Status::cancelled;
    engine_.inform(found->second.genome, outcome);
    if (lost)
        ++lost_;
    else
        store_.record(Scouted{std::move(found->second.genome), std::move(outcome)});
    under_way_.erase(found);
}

void Scouts::forget() {
    for (const auto& [id, scout] : std::exchange(under_way_, {})) {
        probe_->cancel(id);
        engine_.inform(scout.genome, {id, Status::lost});
    }
}

}  // namespace edgeloop
