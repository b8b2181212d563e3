#pragma once

#include "edgeloop/search/engine.hpp"

#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// What is predicted of a design with the full budget.
struct Prediction {
    std::vector<double> bound;      ///< lower confidence bound of each objective
    double cost = 1;                ///< FLOPs, or 1 when nobody knows them
    std::vector<double> mean = {};  ///< of each objective
};

/// Acquisition function: the hypervolume that the bound would add to that of the rivals, for each
/// FLOP. When it would add nothing: minus the fraction of the reference by which a rival is
/// ahead in every objective, 0 when none is.
/// Source: hypervolume improvement at a lower confidence bound as in Emmerich, Giannakoglou,
/// Naujoks, IEEE Trans. Evol. Comp. 10(4), 2006; per cost as in Snoek, Larochelle, Adams, NIPS
/// 2012, 3.2.
[[nodiscard]] double acquisition(const Prediction& prediction, const Points& rivals,
                                 const std::vector<double>& reference);

/// Predicts what a design reaches with the full budget, from all results so far.
///
/// One response surface for each rung: the logarithm of an objective on the first rung, and of its
/// ratio to that of the rung before on the others, is quadratic in the genes (on higher rungs in
/// the logarithms of the objectives before, too), fitted by ridge regression. So a large network
/// that learns slowly is judged by how those like it went on, not by how they began. Work and
/// memory depend on the number of genes alone, not on that of results. Source: Bayesian linear
/// regression as in Bishop, "Pattern recognition and machine learning", 3.3; the steps between
/// rungs as in Kennedy and O'Hagan, Biometrika 87(1), 2000.
class Surrogate {
  public:
    /// @param sums  one for each rung; what was learnt. All must outlive this.
    Surrogate(const SearchSpace& space, const Goals& goals, const std::vector<SurfaceSums>& sums)
        : space_(space), goals_(goals), sums_(sums) {}

    /// Adds a completed result to the sums of its rung, FLOPs included where known. Ignored when
    /// one of them, now or on the rung before, is not positive. Complexity: O(F^2) for F features.
    void learn(const CompletedCandidate& completed, std::vector<SurfaceSums>& sums);
    /// Forgets what was derived from the sums, because they are others now.
    void reset() { surfaces_.clear(); }

    /// The objectives after the full budget; the bound is so many standard deviations (of what is
    /// uncertain and of the noise) below the mean. Nothing before anything was learnt.
    /// Complexity: O(F^2) for each rung left; O(F^3) once after each learn().
    /// @param known     metrics that are certain, or that it had after `trained`.
    /// @param trained   rung that the design completed; -1: none.
    [[nodiscard]] std::optional<Prediction> predict(const Genome& genome, const Metrics& known,
                                                    int trained, double deviations) const;

  private:
    struct Line {
        std::string target;  ///< an objective or the cost
        std::vector<double> weights;
        double variance = 0;  ///< of the noise
    };
    /// What a rung's sums say.
    struct Surface {
        std::uint64_t count = 0;  ///< results it was fitted to
        std::vector<double> factor;
        std::vector<Line> lines;
    };

    [[nodiscard]] const Surface& surface(std::size_t rung) const;

    const SearchSpace& space_;
    const Goals& goals_;
    const std::vector<SurfaceSums>& sums_;
    mutable std::vector<Surface> surfaces_;  ///< fitted when asked for
};

}  // namespace edgeloop
