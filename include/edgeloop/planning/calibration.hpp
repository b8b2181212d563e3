#pragma once

#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/search/coordinator.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace edgeloop {

/// What a design costs to train, counted from its spec.
struct DesignCosts {
    double flops = 0;        ///< of a forward pass over one clip
    double layers = 0;       ///< executed one after the other
    double clip_values = 0;  ///< in one clip
    double parameters = 0;
    int batch = 1;  ///< clips a rank takes each step
    int parts = 1;  ///< in which a batch passes through the network
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

/// A design that was trained: how large, how good.
struct TrainedSize {
    double flops = 0;  ///< of a forward pass over one clip
    double error = 0;  ///< e.g. val_rmse; positive
};

/// Errors of designs over their FLOPs: log(error) falls by `gain` with each factor of ten and
/// scatters around that line with standard deviation `scatter`.
struct ErrorTrend {
    double gain = 0;
    double scatter = 0.2;
};

/// Least squares over designs that were trained for a short time. That larger ones err more is
/// taken for a sign of too short a training and not believed: the gain is 0 then. With fewer than
/// three designs, or designs of one size, the trend of ErrorTrend{}.
[[nodiscard]] ErrorTrend error_trend(const std::vector<TrainedSize>& designs);

/// What a plan is made of, timed on this machine.
struct Calibration {
    ScalingModel training;
    ErrorTrend errors;
    std::vector<int> group_sizes;  ///< for which trainings were timed
    double dispatch_seconds = 0;   ///< a group waits for between two candidates
    double measuring_seconds = 0;  ///< of one measurement, if any was timed
    /// Measured latency as a multiple of the modelled one; nothing where no design was timed.
    std::optional<double> latency_over_model;
    std::size_t measurements = 0;    ///< that were timed
    double trainings_took = 0;       ///< seconds in which trainings were timed
    double seconds = 0;              ///< that all of this took
    std::vector<Candidate> designs;  ///< that were to be timed
    double max_timed = 0;            ///< FLOPs of the largest that was timed
    std::size_t given_up = 0;        ///< trainings that were cut off at the end of the time

    /// FLOPs of the largest of the designs.
    [[nodiscard]] double max_flops() const;
    /// Designs larger than all that were timed: the model extrapolates to them.
    [[nodiscard]] std::size_t not_timed() const;
};

/// Costs of a candidate's design, counted from its spec.
[[nodiscard]] DesignCosts design_costs(const Candidate& candidate);

/// Up to 24 of the designs that this engine proposes first.
[[nodiscard]] std::vector<Candidate> first_designs(Engine& engine);

/// Group sizes for which trainings are timed: 1, 2, 4 ... up to the workers, and the wanted one.
[[nodiscard]] std::vector<int> sizes_to_time(int workers, int wanted);

/// Time, and whether somebody asks to stop.
struct TimedBy {
    SearchClock* clock;
    std::function<bool()> should_stop;
};

/// Groups in which trainings are timed.
struct TimedGroups {
    DataSize data;            ///< that each training sees
    int ranks = 1;            ///< of each group
    std::size_t at_once = 1;  ///< trainings at a time
};

/// Times trainings of the calibration's designs through an evaluator, as a search would have them
/// done, and adds what they say.
///
/// Trainings begin for so many seconds. What still trains after that time again (5 s at least) is
/// cut off; a design that is not expected to end by then is not begun. The first training of each
/// group counts only when there is no other.
void time_trainings(Evaluator& evaluator, const TimedBy& by, const TimedGroups& groups,
                    double seconds, Calibration& calibration);

/// Times measurements of the first designs for so many seconds; the first measurement may take
/// `first_s` on top.
void time_measurements(LatencyProbe& probe, const TimedBy& by, double seconds, double first_s,
                       Calibration& calibration);

}  // namespace edgeloop
