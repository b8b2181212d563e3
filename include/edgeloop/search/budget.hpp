#pragma once

#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/evaluation/events.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace edgeloop {

/// What a search may spend on training, in what training costs.
struct Budget {
    enum class Unit {
        none,        ///< no budget: the number of designs is the only limit
        epochs,      ///< that the designs are asked to train
        seconds,     ///< of all trainings, summed: not the time that passes
        core_hours,  ///< the same, times the cores that each training has
    };
    Unit unit = Unit::none;
    double amount = 0;
    /// Cores that train this candidate; empty: one.
    std::function<double(const Candidate&)> cores;

    [[nodiscard]] bool limits() const { return unit != Unit::none; }
};

/// Reads "500epochs", "20corehours" or "3600s"; an empty text is no budget.
/// @throws ConfigError
[[nodiscard]] Budget parse_budget(const std::string& text);
/// The unit in words, e.g. "core hours".
[[nodiscard]] const char* name_of(Budget::Unit unit);
/// As parse_budget() reads it.
[[nodiscard]] std::string to_string(const Budget& budget);

/// What the trainings that have been told cost.
struct Spent {
    double epochs = 0, seconds = 0, core_seconds = 0;
    double paid_epochs = 0;  ///< of trainings that took time: results that are reused took none

    void add(const CompletedCandidate& completed, const Budget& budget);
    /// In this unit; 0 for none.
    [[nodiscard]] double in(Budget::Unit unit) const;
};

/// What these events told. With it an engine that is restored from a checkpoint knows what was
/// spent before.
/// @param count  of events from the beginning.
[[nodiscard]] Spent spent_in(const std::vector<Event>& events, std::size_t count,
                             const Budget& budget);

/// Epochs that a candidate is asked to train now; at least 1, also for an analytic problem. A
/// training that ends early counts in full: how far it came depends on the machines.
[[nodiscard]] double epochs_to_train(const Candidate& candidate);

/// Epochs that the rest of a budget is good for: at the mean price of those so far, unless it is in
/// epochs itself. Without a budget, or before there is a price: infinity.
[[nodiscard]] double epochs_left(const Budget& budget, const Spent& spent);

}  // namespace edgeloop
