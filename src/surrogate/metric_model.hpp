#pragma once

#include "surrogate/gaussian_process.hpp"

#include "edgeloop/surrogate/belief.hpp"
#include "edgeloop/surrogate/design_model.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// A result of one metric.
struct MetricValue {
    std::uint64_t id = 0;
    const Encoded* design = nullptr;
    int rung = 0;
    double value = 0;
    double trainings = 1;
};

/// One metric: a Gaussian process of its logarithm above a shift, on a scale that is common to all
/// rungs.
///
/// The shift lies as far below the best value as the median lies above it, so that among good
/// designs differences count and bad ones (an error of 90 %, three times the median latency) do
/// not stretch the scale. Values of a higher rung are put on the scale of the rung below by a
/// line through the designs that were on both.
class MetricModel {
  public:
    explicit MetricModel(const DesignEncoding& encoding) : process_(encoding) {}

    /// Whether enough was added to `known` results since the last fit.
    [[nodiscard]] static bool fit_is_due(std::uint64_t known, const FittedMetric& fitted);
    /// Goes on from the last fit, if there was one. @param values  at least one.
    void fit(const std::vector<MetricValue>& values, FittedMetric& fitted);
    /// @param values  at least one. @param fitted  was fitted.
    void learn(const std::vector<MetricValue>& values, const FittedMetric& fitted);
    /// Adds values as if they had been learnt, without another fit.
    void believe(const std::vector<MetricValue>& values);

    /// On the highest rung that has results. @param with_noise  of one training.
    [[nodiscard]] std::vector<Belief> predict(const std::vector<const Encoded*>& designs,
                                              bool with_noise) const;

  private:
    /// A rung's values become (log(value - shift) - centre) / extent.
    struct Scale {
        double shift = 0, centre = 0, extent = 1;
        double reach = 0;  ///< from the shift to the best value
        bool used = false;
    };

    [[nodiscard]] std::vector<Observation> observations(const std::vector<MetricValue>& values);
    void find_scales(const std::vector<MetricValue>& values);
    void align(const std::vector<MetricValue>& values, std::size_t rung);
    [[nodiscard]] double scaled(const MetricValue& value) const;
    [[nodiscard]] Observation observation(const MetricValue& value) const;

    GaussianProcess process_;
    std::vector<Scale> scales_;  ///< by rung
    double mean_ = 0;            ///< of the scaled values
    int top_ = 0;                ///< highest rung with results
};

}  // namespace edgeloop
