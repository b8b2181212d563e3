#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace edgeloop {

/// What a design costs to train, counted from its spec.
struct DesignCosts {
    double flops = 0;        ///< of a forward pass over one clip
    double layers = 0;       ///< executed one after the other
    double clip_values = 0;  ///< in one clip
    double parameters = 0;
    int batch = 1;  ///< clips a rank takes each step
};

/// Clips of an epoch and of a validation.
struct DataSize {
    std::size_t train = 0, validation = 0;
};

/// What one training asks of each rank of a group: what time is taken to be proportional to.
///
/// 0: 1, for building network and loaders. 1: FLOPs, a training step being three forward passes.
/// 2: calls of layers. 3: values of clips prepared. 4: messages and 5: values in messages of the
/// gradient exchange, both 0 on one rank.
using TrainingLoad = std::array<double, 6>;

/// @param ranks  of the group, which take equal shares of the clips.
[[nodiscard]] TrainingLoad training_load(const DesignCosts& design, const DataSize& data,
                                         int epochs, int ranks);

/// Seconds of a training from its load: a sum with one non-negative cost for each entry, fitted to
/// trainings that were timed.
class ScalingModel {
  public:
    void learn(const TrainingLoad& load, double seconds);
    /// Least squares of the relative errors, then scaled so that the sum over what was learnt is
    /// met. REQUIRES: something was learnt.
    void fit();

    [[nodiscard]] double seconds(const TrainingLoad& load) const;
    [[nodiscard]] const TrainingLoad& costs() const { return costs_; }
    /// Root mean square of the relative errors over what was learnt.
    [[nodiscard]] double relative_error() const;
    [[nodiscard]] std::size_t size() const { return timed_.size(); }

  private:
    struct Timed {
        TrainingLoad load;
        double seconds;
    };

    std::vector<Timed> timed_;
    TrainingLoad costs_{};
};

}  // namespace edgeloop
