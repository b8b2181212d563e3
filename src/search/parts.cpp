#include "search/parts.hpp"

#include "search/device_classes.hpp"

#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Adds what a part has delivered. What is known already and is not this part's stays as it is: no
/// device says how many parameters a network has, or how well it was trained.
void merge(Metrics& into, const Metrics& from, Source part, const std::string& device_class = {}) {
    for (const auto& [delivered, value] : from) {
        const std::string name = metric_of_class(delivered, device_class);
        const Metric* const metric = find_metric(name);
        const bool another = metric != nullptr && metric->source != part;
        if (!another || into.count(name) == 0) into[name] = value;
    }
}

/// val_rmse against what can be had without a network: below 1 the design is worth something.
void compare_with_baseline(Metrics& metrics) {
    const auto rmse = metrics.find("val_rmse"), baseline = metrics.find("baseline_rmse");
    if (rmse != metrics.end() && baseline != metrics.end() && baseline->second > 0)
        metrics["baseline_ratio"] = rmse->second / baseline->second;
}

/// What enters a population, or may be a member of the front but for what is not known yet: what
/// becomes of it must not depend on which class of devices answers first.
bool competes(Status status) { return status == Status::infeasible || status == Status::cancelled; }

}  // namespace

Metrics PartRules::settled(const Active& active) const {
    Metrics metrics = active.kept.candidate.known;
    for (const std::string& each : classes_)
        if (const Outcome* const measured = active.kept.part({Part::measuring, each}))
            merge(metrics, measured->metrics, Source::measuring, each);
    return metrics;
}

bool PartRules::needs(const Active& active, const Part& part) const {
    const Candidate& candidate = active.kept.candidate;
    const bool measured_before = candidate.rung > 0 || repeat_of(candidate.id) > 0;
    if (part.kind == Part::measuring && measured_before) return false;
    const Outcome* const outcome = active.kept.part(part);
    return outcome == nullptr || outcome->status == Status::lost;
}

bool PartRules::needs_measuring(const Active& active) const {
    return std::any_of(classes_.begin(), classes_.end(), [&](const std::string& each) {
        return needs(active, {Part::measuring, each});
    });
}

bool PartRules::partly_measured(const Active& active) const {
    const auto answered =
        std::count_if(classes_.begin(), classes_.end(), [&](const std::string& each) {
            return active.kept.part({Part::measuring, each}) != nullptr;
        });
    return answered > 0 && static_cast<std::size_t>(answered) < classes_.size();
}

Outcome PartRules::checked(Outcome trained) const {
    if (!options_.refuse_trained || trained.status != Status::completed) return trained;
    if (const auto why = options_.refuse_trained(trained.metrics)) {
        trained.status = Status::failed;
        trained.metrics.clear();
        trained.reason = "the result of the training is refused: " + *why;
    }
    return trained;
}

std::optional<std::string> PartRules::incomplete(const Outcome& measured,
                                                 const std::string& device_class) const {
    const auto asked = options_.measured.find(device_class);
    if (asked == options_.measured.end()) return std::nullopt;
    for (const std::string& name : asked->second)
        if (measured.metrics.count(name) == 0)
            return fmt::format("{} delivered no {}",
                               measured.device.empty() ? "the device" : measured.device, name);
    return std::nullopt;
}

std::optional<Verdict> PartRules::early_end(const Active& active) const {
    for (const std::string& each : classes_) {
        const Outcome* const measured = active.kept.part({Part::measuring, each});
        if (measured == nullptr) continue;
        if (measured->status != Status::completed)
            return Verdict{measured->status, about_class(each, measured->reason)};
        if (const auto missing = incomplete(*measured, each))
            return Verdict{Status::failed, about_class(each, *missing)};
    }
    std::optional<Verdict> verdict = engine_.verdict(active.kept.candidate, settled(active));
    // A limit stays broken; whether it is dominated may depend on what the others will say.
    if (verdict && verdict->status != Status::infeasible && partly_measured(active))
        return std::nullopt;
    return verdict;
}

std::optional<CompletedCandidate> PartRules::whole(const Active& active) const {
    if (active.training) return std::nullopt;
    if (active.verdict && competes(active.verdict->status) && partly_measured(active))
        return std::nullopt;
    const Outcome* const training = active.kept.part(Part::training);
    CompletedCandidate completed;
    completed.settled = settled(active);
    completed.metrics = completed.settled;
    for (const auto& [part, outcome] : active.kept.parts)
        (part.kind == Part::training ? completed.training_seconds : completed.measuring_seconds) +=
            outcome.seconds;
    if (active.verdict) {
        completed.status = active.verdict->status;
        completed.reason = active.verdict->reason;
    } else if (training != nullptr && !needs_measuring(active)) {
        judge(*training, active.kept.candidate.rung, completed);
    } else {
        return std::nullopt;
    }
    return completed;
}

void PartRules::judge(const Outcome& training, int rung, CompletedCandidate& completed) const {
    completed.status = training.status;
    completed.reason = training.reason;
    if (training.status != Status::completed) return;
    merge(completed.metrics, training.metrics, Source::training);
    compare_with_baseline(completed.metrics);
    const Goals& goals = engine_.settings().goals;
    if (auto why = goals.incomplete(completed.metrics)) {
        completed.status = Status::failed;
        completed.reason = std::move(*why);
        return;
    }
    // Below the last rung an error says little about the one that the limit is for.
    const std::vector<int>& rungs = engine_.settings().ladder.epochs;
    const bool whole = rungs.empty() || rung + 1 >= int(rungs.size());
    if (auto broken = goals.broken(whole ? completed.metrics : completed.settled)) {
        completed.status = Status::infeasible;
        completed.reason = std::move(*broken);
    }
}

void add_part(Active& active, const Part& part, Outcome outcome, RunStore& store) {
    outcome.id = active.kept.candidate.id;
    active.kept.parts[part] = outcome;
    store.record(PartDone{part, std::move(outcome)});
}

void take_earlier_results(Active& active, const PartRules& rules, const Engine& engine,
                          const SearchOptions& options, RunStore& store) {
    const Candidate& candidate = active.kept.candidate;
    for (auto& [device_class, measured] : engine.measured_before(candidate.genome))
        if (const Part part{Part::measuring, device_class}; rules.needs(active, part))
            add_part(active, part, measured, store);
    if (!options.lookup) return;
    std::vector<Part> parts{Part::training};
    for (const std::string& each : rules.classes()) parts.emplace_back(Part::measuring, each);
    for (const Part& part : parts) {
        if (!rules.needs(active, part)) continue;
        std::optional<Outcome> earlier = options.lookup(part, candidate);
        const bool measured = part.kind == Part::measuring;
        if (!earlier || (measured && !rules.usable(*earlier, part.device_class))) continue;
        store.record(Note{"reused", candidate.id, earlier->reason});
        earlier->reason.clear();
        add_part(active, part, std::move(*earlier), store);
    }
}

}  // namespace edgeloop
