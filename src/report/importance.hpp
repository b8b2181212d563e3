#pragma once

#include "edgeloop/report/run_view.hpp"

#include <string>
#include <vector>

namespace edgeloop::report {

/// How much an objective depends on each gene, and how well it follows from all of them.
struct Importance {
    std::string objective;
    bool in_logarithm = false;  ///< of an objective that spans more than a factor of 30
    std::size_t designs = 0;    ///< learnt from
    double r2 = 0;              ///< of designs that a forest had not seen; 1: it follows exactly
    std::vector<std::string> genes;  ///< the most important first
    std::vector<double> shares;      ///< of the objective's variance, shape (genes)
    std::vector<double> errors;      ///< standard errors of the shares, shape (genes)
    std::vector<double> predicted;   ///< by forests that had not seen the design; NaN: none. (rows)
};

/// Least designs with a value; below, nothing is said.
constexpr std::size_t least_designs = 20;

/// One for each objective that enough designs have. Deterministic.
///
/// Ten times the designs (3 000 at most, evenly taken) are halved at random, a forest learns from
/// one half, and in the other the values of one gene after the other are exchanged between designs.
/// The share is the squared error which that adds, over twice the variance: 0 for a gene that says
/// nothing, about 1 for one that says everything. The standard error is the deviation between
/// halves, which estimates that of all designs (half-sampling).
/// Source: Breiman 2001, section 10 (permutation importance); McCarthy 1969 (half-sampling).
[[nodiscard]] std::vector<Importance> importances(const RunView& run);

}  // namespace edgeloop::report
