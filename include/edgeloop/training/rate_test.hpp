#pragma once

#include "edgeloop/training/trainer.hpp"

#include <vector>

namespace edgeloop {

/// How a learning-rate range test goes: from the lowest to the highest rate in equal factors.
struct RateTestSettings {
    double lowest = 1e-6, highest = 1;
    int steps = 100;
    double smoothing = 0.9;  ///< decay of the moving average of the loss
    double divergence = 4;   ///< ends when the averaged loss is so many times the smallest
};

/// One step of it.
struct RatePoint {
    double rate = 0;
    double loss = 0;      ///< mean over the samples of the step, before its update
    double smoothed = 0;  ///< moving average, without the bias of its beginning
};

struct RateTest {
    Status status = Status::completed;  ///< else as of Trainer::train()
    std::string reason;                 ///< when not completed
    std::vector<RatePoint> points;      ///< in order of rate; up to where the loss diverged
    bool diverged = false;              ///< the highest rates were not tried
    bool rose = false;                  ///< the averaged loss grew again before the last point
    /// A tenth of the highest rate at which the averaged loss is within 10 % of its smallest. 0:
    /// not completed.
    double suggested = 0;
};

/// Learning-rate range test (Smith, "Cyclical Learning Rates for Training Neural Networks", WACV
/// 2017): trains the untrained network with a rate that grows exponentially from step to step and
/// keeps the loss of each. Where the averaged loss begins to grow the rate is too high already, so
/// a tenth of it is suggested. Nothing is kept. Collective; the same result on all ranks.
///
/// A loss that is not finite ends it as divergence does.
[[nodiscard]] RateTest test_rates(const TrainingSettings& settings, const Candidate& candidate,
                                  const Communicator& group, const CancelToken& token,
                                  const RateTestSettings& how);

/// What follows from the losses at these rates.
/// @param points  ascending by rate; `smoothed` is filled in.
void judge_rates(RateTest& test, const RateTestSettings& how);

}  // namespace edgeloop
