#pragma once

#include "edgeloop/space/search_space.hpp"
#include "edgeloop/surrogate/belief.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// What is known of a design after one rung: metrics that only that training gives, and on the
/// first rung also what training does not change.
struct ModelResult {
    std::uint64_t id = 0;
    Genome genome;
    int rung = 0;
    std::map<std::string, double> metrics;
    double trainings = 1;  ///< that the metrics are the mean of
};

/// Fitted parameters of one metric's model.
struct FittedMetric {
    std::uint64_t results = 0;       ///< that there were at the last fit
    std::vector<double> parameters;  ///< empty: never fitted
    /// Share of the variance that the model explained then when it predicted each result from all
    /// others. 0 or less: it knew nothing.
    double skill = 0;
};

/// By metric. Part of a search's state: a fit goes on from the one before.
using FittedMetrics = std::map<std::string, FittedMetric>;

/// Predicts the metrics of designs with the full budget from all results so far: a Gaussian
/// process for each metric. See src/surrogate/README.md.
class DesignModel {
  public:
    /// @param space    must outlive this.
    /// @param metrics  to predict.
    /// @param focus    objectives: of too many results those near their front are kept.
    DesignModel(const SearchSpace& space, std::vector<std::string> metrics,
                std::vector<std::string> focus);
    ~DesignModel();
    DesignModel(const DesignModel&) = delete;
    DesignModel& operator=(const DesignModel&) = delete;

    /// Fits the parameters of those metrics of which a tenth more is known than at their last fit.
    /// Complexity: O(n³) for n results, of which a few hundred are used.
    void fit(const std::vector<ModelResult>& results, FittedMetrics& fitted);
    /// Learns from these results, in place of all before, with parameters that were fitted.
    /// Complexity: the same, for one step of a fit.
    /// @return false when there is a metric that no result used has, or that was never fitted: then
    ///         nothing can be predicted.
    [[nodiscard]] bool learn(const std::vector<ModelResult>& results, const FittedMetrics& fitted);
    /// Takes what is under way for done, with the metrics that are predicted: further designs look
    /// elsewhere. Its own metrics are known ones, e.g. measured.
    void believe(const std::vector<ModelResult>& under_way);

    /// Beliefs about the metrics, in their order. Shape (designs, metrics).
    [[nodiscard]] std::vector<std::vector<Belief>> predict(
        const std::vector<const Genome*>& designs) const;
    /// The same of one result to come, noise of a training included.
    [[nodiscard]] std::vector<Belief> expect(const Genome& design) const;

    [[nodiscard]] const std::vector<std::string>& metrics() const;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace edgeloop
