#include "edgeloop/search/budget.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/search/engine.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <locale>
#include <map>
#include <sstream>
#include <variant>

#include <fmt/format.h>

namespace edgeloop {
namespace {

struct UnitNames {
    Budget::Unit unit;
    const char* typed;
    const char* name;
};
constexpr std::array<UnitNames, 3> units{{
    {Budget::Unit::epochs, "epochs", "epochs"},
    {Budget::Unit::seconds, "s", "s of training"},
    {Budget::Unit::core_hours, "corehours", "core hours"},
}};

constexpr double seconds_an_hour = 3600;

ConfigError not_a_budget(const std::string& text, const std::string& why) {
    return ConfigError(fmt::format("--budget '{}' cannot be read", text), why,
                       "write it like 500epochs, 20corehours or 3600s");
}

}  // namespace

Budget parse_budget(const std::string& text) {
    Budget budget;
    if (text.empty()) return budget;
    // Letters of a unit may not be taken for those of a number: digits and the point only.
    const std::size_t end = text.find_first_not_of("0123456789. ");
    const std::string number = text.substr(0, end);
    const std::string unit = end == std::string::npos ? std::string() : text.substr(end);
    std::istringstream digits(number);
    digits.imbue(std::locale::classic());
    std::string rest;
    if (!(digits >> budget.amount) || (digits >> rest) || !(budget.amount > 0) ||
        !std::isfinite(budget.amount))
        throw not_a_budget(text, "it begins with a number above 0");
    for (const UnitNames& each : units)
        if (unit == each.typed) budget.unit = each.unit;
    if (!budget.limits())
        throw not_a_budget(
            text, unit.empty() ? "it has no unit" : fmt::format("the unit '{}' is unknown", unit));
    if (budget.unit == Budget::Unit::epochs && budget.amount != std::floor(budget.amount))
        throw not_a_budget(text, "epochs are whole");
    return budget;
}

const char* name_of(Budget::Unit unit) {
    for (const UnitNames& each : units)
        if (each.unit == unit) return each.name;
    return "";
}

std::string to_string(const Budget& budget) {
    for (const UnitNames& each : units)
        if (each.unit == budget.unit) return fmt::format("{}{}", budget.amount, each.typed);
    return {};
}

void Spent::add(const CompletedCandidate& completed, const Budget& budget) {
    const Candidate& candidate = completed.candidate;
    epochs += epochs_to_train(candidate);
    if (completed.training_seconds > 0) paid_epochs += epochs_to_train(candidate);
    seconds += completed.training_seconds;
    core_seconds += completed.training_seconds * (budget.cores ? budget.cores(candidate) : 1);
}

double Spent::in(Budget::Unit unit) const {
    switch (unit) {
        case Budget::Unit::none:
            return 0;
        case Budget::Unit::epochs:
            return epochs;
        case Budget::Unit::seconds:
            return seconds;
        case Budget::Unit::core_hours:
            return core_seconds / seconds_an_hour;
    }
    return 0;
}

Spent spent_in(const std::vector<Event>& events, std::size_t count, const Budget& budget) {
    Spent spent;
    std::map<CandidateId, const Candidate*> proposed;
    for (std::size_t i = 0; i < std::min(count, events.size()); ++i) {
        if (const auto* event = std::get_if<Proposed>(&events[i]))
            proposed[event->candidate.id] = &event->candidate;
        const auto* told = std::get_if<Told>(&events[i]);
        if (told == nullptr) continue;
        CompletedCandidate completed;
        completed.training_seconds = told->completed.training_seconds;
        // Journals of earlier versions do not have all of the candidate where it was told.
        const auto found = proposed.find(told->completed.candidate.id);
        if (found == proposed.end()) continue;
        completed.candidate = *found->second;
        spent.add(completed, budget);
    }
    return spent;
}

double epochs_to_train(const Candidate& candidate) {
    return std::max(1, candidate.epochs - candidate.trained_epochs);
}

double epochs_left(const Budget& budget, const Spent& spent) {
    constexpr double all = std::numeric_limits<double>::infinity();
    if (!budget.limits()) return all;
    const double left = std::max(0.0, budget.amount - spent.in(budget.unit));
    if (budget.unit == Budget::Unit::epochs || left == 0) return left;
    const double price = spent.paid_epochs > 0 ? spent.in(budget.unit) / spent.paid_epochs : 0;
    return price > 0 ? left / price : all;
}

double epochs_of_cohort(const LadderSettings& ladder, std::uint64_t candidates) {
    double epochs = 0;
    int before = 0;
    auto left = static_cast<double>(candidates);
    for (const int until : ladder.epochs) {
        epochs += left * (until - before);
        before = until;
        left = std::ceil(left / ladder.reduction);
    }
    return epochs;
}

std::optional<double> expected_epochs(const EngineSettings& settings) {
    if (settings.ladder.epochs.empty() || settings.evaluations == no_limit) return std::nullopt;
    if (settings.kind != EngineKind::generational)
        return epochs_of_cohort(settings.ladder, settings.evaluations);
    const std::uint64_t first = std::min<std::uint64_t>(
        settings.evaluations, std::max(settings.population, settings.first.size()));
    const std::uint64_t others = settings.evaluations - first;
    return epochs_of_cohort(settings.ladder, first) +
           static_cast<double>(others / settings.population) *
               epochs_of_cohort(settings.ladder, settings.population) +
           epochs_of_cohort(settings.ladder, others % settings.population);
}

}  // namespace edgeloop
