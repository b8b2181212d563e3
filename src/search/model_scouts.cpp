// What a model-led engine has measured before it decides about it, when it confirms, and what it
// takes from a journal as it stands.
#include "search/model_engine.hpp"

#include <algorithm>
#include <utility>

namespace edgeloop {
namespace {

constexpr std::size_t max_scouted = 200;  ///< kept: the latest

}  // namespace

std::optional<Candidate> ModelEngine::scout() {
    const std::uint64_t now = state_.told + state_.model.scouts;
    if (spent() || state_.model.measured.empty() || nothing_scouted_ == now + 1)
        return std::nullopt;
    const std::unique_ptr<DesignModel> model = informed_model();
    if (!model) return std::nullopt;
    RandomStream random = stream("scout", static_cast<std::uint32_t>(state_.told),
                                 state_.model.scouts + scouts_.size());
    std::vector<Option> all;
    add_new_designs(all, random);
    evaluate(all, *model);
    std::stable_sort(all.begin(), all.end(),
                     [](const Option& a, const Option& b) { return a.value > b.value; });
    for (const Option& option : all) {
        if (state_.model.scouted.count(option.genome.genes) > 0) continue;
        std::optional<Candidate> candidate = proposer_.scout(option.genome, state_);
        if (!candidate || !scouts_.insert(candidate->id).second) continue;
        candidate->parents = option.parents;
        return candidate;
    }
    nothing_scouted_ = now + 1;
    return std::nullopt;
}

void ModelEngine::inform(const Scouted& scouted) {
    const Outcome& measured = scouted.measured;
    const std::vector<double>& genes = scouted.genome.genes;
    const Digest design = space().identity(scouted.genome);
    scouts_.erase(scout_id(design));
    if (measured.status == Status::lost || measured.status == Status::cancelled) return;
    ++state_.model.scouts;
    if (state_.seen.count(design) > 0) return;  // it became a candidate meanwhile
    auto& all = state_.model.scouted;
    Outcome& kept = all[genes][scouted.device_class] = measured;
    kept.id = state_.model.scouts;
    if (!scouted.parents.empty()) state_.model.parents[genes] = scouted.parents;
    if (all.size() <= max_scouted) return;
    const auto oldest = std::min_element(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return a.second.begin()->second.id < b.second.begin()->second.id;
    });
    state_.model.parents.erase(oldest->first);
    all.erase(oldest);
}

void ModelEngine::forget_scouted() {
    state_.model.scouted.clear();
    state_.model.parents.clear();
}

Measured ModelEngine::measured_before(const Genome& genome) const {
    Measured completed;
    const auto found = state_.model.scouted.find(genome.genes);
    if (found == state_.model.scouted.end()) return completed;
    for (const auto& each : found->second)
        if (each.second.status == Status::completed) completed.insert(each);
    return completed;
}

bool ModelEngine::may_confirm(const Candidate& member) const {
    const std::uint64_t number = member.generation * settings_.population + member.index;
    return nothing_else_ || (spent() && !promotes()) ||
           state_.done >= number + settings_.population;
}

std::optional<Candidate> ModelEngine::first_repeat() {
    nothing_else_ = true;
    queue_repeats();
    nothing_else_ = false;
    return next_repeat();
}

std::optional<Candidate> ModelEngine::ask_again(const Candidate& journaled) {
    // What the journal says was chosen by a model with the limits and the processor of that time.
    if (repeat_of(journaled.id) > 0)
        return state_.confirmation.queue.empty() ? first_repeat() : next_repeat();
    std::optional<Candidate> candidate;
    if (journaled.rung > 0) {
        if (journaled.rung > last_rung()) return std::nullopt;
        for (RungEntry& entry : rungs()[static_cast<std::size_t>(journaled.rung) - 1])
            if (entry.completed.candidate.id == journaled.id && !entry.promoted)
                candidate = promote(entry, "as before");
    } else {
        RandomStream random = stream("again", 0, state_.proposed);
        candidate = proposer_.given(journaled.genome, random, state_);
        if (candidate) {
            candidate->generation = journaled.generation;
            candidate->index = journaled.index;
            candidate->parents = journaled.parents;
        }
    }
    if (candidate) state_.pending.emplace(candidate->id, *candidate);
    return candidate;
}

}  // namespace edgeloop
