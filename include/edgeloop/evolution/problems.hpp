#pragma once

#include "edgeloop/space/search_space.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// What evaluating one point gives.
struct Evaluation {
    std::vector<double> objectives;   ///< minimised
    std::vector<double> constraints;  ///< normalised; above 0 is broken by that much
    double training_seconds = 0;      ///< notional cost, for problems that have one
};

/// Sum of what the constraints are broken by; 0: feasible.
[[nodiscard]] double total_violation(const Evaluation& evaluation);

/// A test problem with known objectives, to study search engines without training anything.
class Problem {
  public:
    /// Values of a point after a training budget; 0: the full one.
    using Function = std::function<Evaluation(const Genome&, int epochs)>;

    Problem(std::string name, SearchSpace space, std::vector<std::string> objective_names,
            std::vector<double> reference_point, Function function);

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const SearchSpace& space() const { return space_; }
    [[nodiscard]] std::size_t objective_count() const { return objective_names_.size(); }
    /// f1, f2, ... for analytic problems.
    [[nodiscard]] const std::vector<std::string>& objective_names() const {
        return objective_names_;
    }
    /// For hypervolumes; every sensible front lies below it.
    [[nodiscard]] const std::vector<double>& reference_point() const { return reference_point_; }
    /// Pure: the same arguments always give the same values.
    /// @param genome  of space(), canonical.
    /// @param epochs  budget, for problems that have one; 0: the full one.
    [[nodiscard]] Evaluation evaluate(const Genome& genome, int epochs = 0) const {
        return function_(genome, epochs);
    }

  private:
    std::string name_;
    SearchSpace space_;
    std::vector<std::string> objective_names_;
    std::vector<double> reference_point_;
    Function function_;
};

/// zdt1-4, zdt6, dtlz1-4, dtlz7, bnh, srn, tnk, osy, nas-table (see nas_table.hpp).
/// @throws ConfigError  an unknown name; lists the known ones.
[[nodiscard]] Problem find_problem(const std::string& name);
[[nodiscard]] std::vector<std::string> known_problems();

}  // namespace edgeloop
