#include "search/scouts.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace edgeloop {
namespace {

/// Measurements of one class that can be under way at once.
std::size_t places(const LatencyProbe& probe) {
    constexpr std::size_t when_computed = 8;
    return probe.computes() ? when_computed : probe.link().devices;
}

}  // namespace

bool Scouts::each_has_a_device() const {
    const Probes& probes = devices_.probes();
    return std::all_of(probes.begin(), probes.end(), [](const auto& each) {
        const LinkState link = each.second->link();
        return each.second->computes() || (link.up && link.devices > 0);
    });
}

bool Scouts::each_has_nothing_to_do(const ActiveCandidates& active) const {
    const Probes& probes = devices_.probes();
    return std::all_of(probes.begin(), probes.end(), [&](const auto& probe) {
        const std::string& name = probe.first;
        const auto busy = std::count_if(active.begin(), active.end(), [&](const auto& each) {
            return each.second.measures_on(name);
        });
        const auto scouting =
            std::count_if(under_way_.begin(), under_way_.end(),
                          [&](const auto& each) { return each.second.classes.count(name) > 0; });
        return static_cast<std::size_t>(busy + scouting) < places(*probe.second);
    });
}

std::uint64_t Scouts::open() const {
    std::uint64_t count = 0;
    for (const auto& each : under_way_) count += each.second.classes.size();
    return count;
}

bool Scouts::send(const ActiveCandidates& active) {
    if (!each_has_a_device()) {
        forget();
        return false;
    }
    const EngineState& state = engine_.state();
    const std::uint64_t wanted =
        static_cast<std::uint64_t>(ahead_) * state.done * devices_.probes().size();
    bool sent = false;
    while (state.model.scouts + open() + lost_ < wanted && each_has_nothing_to_do(active)) {
        std::optional<Candidate> candidate = engine_.scout();
        if (!candidate) break;
        sent = true;
        Scout& scout = under_way_[candidate->id];
        scout.candidate = std::move(*candidate);
        for (const auto& [name, probe] : devices_.probes()) {
            scout.classes.insert(name);
            probe->submit(scout.candidate);
        }
    }
    return sent;
}

void Scouts::take(const std::string& device_class, Outcome outcome) {
    const auto found = under_way_.find(outcome.id);
    if (found == under_way_.end() || found->second.classes.erase(device_class) == 0) return;
    // One that was measured badly is as good as not measured.
    if (outcome.status == Status::completed && !rules_.usable(outcome, device_class))
        outcome.status = Status::lost;
    const bool lost = outcome.status == Status::lost || outcome.status == Status::cancelled;
    Scouted scouted{found->second.candidate.genome, std::move(outcome), device_class,
                    found->second.candidate.parents};
    if (found->second.classes.empty()) under_way_.erase(found);
    engine_.inform(scouted);
    if (lost)
        ++lost_;
    else
        store_.record(std::move(scouted));
}

void Scouts::forget() {
    for (const auto& [id, scout] : std::exchange(under_way_, {}))
        for (const std::string& device_class : scout.classes) {
            devices_.of(device_class).cancel(id);
            engine_.inform({scout.candidate.genome, {id, Status::lost}, device_class});
        }
}

}  // namespace edgeloop
