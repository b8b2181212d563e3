#include "search/parts.hpp"

#include "edgeloop/evaluation/metrics.hpp"

#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Adds what a part has delivered. What is known already and is not this part's stays as it is: no
/// device says how many parameters a network has, or how well it was trained.
void merge(Metrics& into, const Metrics& from, Source part) {
    for (const auto& [name, value] : from) {
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

Metrics settled(const Active& active) {
    Metrics metrics = active.kept.candidate.known;
    if (active.kept.measuring) merge(metrics, active.kept.measuring->metrics, Source::measuring);
    return metrics;
}

}  // namespace

bool PartRules::needs(const Active& active, Part part) const {
    const Candidate& candidate = active.kept.candidate;
    const bool measured_before = candidate.rung > 0 || repeat_of(candidate.id) > 0;
    if (part == Part::measuring && (!measures_ || measured_before)) return false;
    const auto& outcome = part == Part::training ? active.kept.training : active.kept.measuring;
    return !outcome || outcome->status == Status::lost;
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

std::optional<std::string> PartRules::incomplete(const Outcome& measured) const {
    for (const std::string& name : options_.measured)
        if (measured.metrics.count(name) == 0)
            return fmt::format("{} delivered no {}",
                               measured.device.empty() ? "the device" : measured.device, name);
    return std::nullopt;
}

std::optional<Verdict> PartRules::early_end(const Active& active) const {
    if (const auto& measured = active.kept.measuring) {
        if (measured->status != Status::completed)
            return Verdict{measured->status, measured->reason};
        if (auto missing = incomplete(*measured))
            return Verdict{Status::failed, std::move(*missing)};
    }
    return engine_.verdict(active.kept.candidate, settled(active));
}

std::optional<CompletedCandidate> PartRules::whole(const Active& active) const {
    if (active.training) return std::nullopt;
    const std::optional<Outcome>& training = active.kept.training;
    const std::optional<Outcome>& measured = active.kept.measuring;
    CompletedCandidate completed;
    completed.settled = settled(active);
    completed.metrics = completed.settled;
    if (training) completed.training_seconds = training->seconds;
    if (measured) completed.measuring_seconds = measured->seconds;
    if (active.verdict) {
        completed.status = active.verdict->status;
        completed.reason = active.verdict->reason;
    } else if (training && !needs(active, Part::measuring)) {
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

}  // namespace edgeloop
