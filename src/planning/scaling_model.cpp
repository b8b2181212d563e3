#include "edgeloop/core/error.hpp"
#include "edgeloop/planning/calibration.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop {
namespace {

constexpr double passes_of_a_step = 3;  // backward costs about two forward passes
constexpr int rounds = 20000;           // of coordinate descent; a few hundred are usual
constexpr double settled = 1e-12;       // relative change of a cost at which it ends

double rounds_up(std::size_t samples, double each) {
    return std::ceil(static_cast<double>(samples) / each);
}

}  // namespace

TrainingLoad training_load(const DesignCosts& design, const DataSize& data, int epochs, int ranks) {
    const double train_steps = epochs * rounds_up(data.train, double(design.batch) * ranks);
    const double validation_steps = rounds_up(data.validation, double(design.batch) * ranks);
    const double train_clips = epochs * static_cast<double>(data.train) / ranks;
    const double validation_clips = static_cast<double>(data.validation) / ranks;
    TrainingLoad load{};
    load[0] = 1;
    load[1] = design.flops * (passes_of_a_step * train_clips + validation_clips);
    load[2] = design.layers * design.parts * (passes_of_a_step * train_steps + validation_steps);
    load[3] = design.clip_values * (train_clips + validation_clips);
    if (ranks > 1) {
        // A sum over k ranks takes log2(k) rounds of messages and moves 2 (k-1) / k of its values.
        load[4] = train_steps * std::log2(ranks);
        load[5] = train_steps * design.parameters * 2 * (ranks - 1) / ranks;
    }
    return load;
}

void ScalingModel::learn(const TrainingLoad& load, double seconds) {
    EDGELOOP_EXPECT(seconds > 0, "a training takes time");
    timed_.push_back({load, seconds});
}

// Coordinate descent on the normal equations: each cost in turn is set to its best value, or 0.
// Columns are scaled to their largest entry, because FLOPs and constants are far apart.
void ScalingModel::fit() {
    EDGELOOP_EXPECT(!timed_.empty(), "nothing was timed");
    constexpr std::size_t n = std::tuple_size<TrainingLoad>::value;
    TrainingLoad scale{};
    std::array<TrainingLoad, n> products{};
    TrainingLoad target{};
    for (const Timed& each : timed_)
        for (std::size_t i = 0; i < n; ++i) scale[i] = std::max(scale[i], each.load[i]);
    for (const Timed& each : timed_)
        for (std::size_t i = 0; i < n; ++i) {
            if (scale[i] == 0) continue;
            const double own = each.load[i] / scale[i] / each.seconds;
            target[i] += own;
            for (std::size_t j = 0; j < n; ++j)
                if (scale[j] > 0) products[i][j] += own * each.load[j] / scale[j] / each.seconds;
        }
    TrainingLoad scaled{};
    for (int round = 0; round < rounds; ++round) {
        double change = 0, largest = 0;
        for (std::size_t i = 0; i < n; ++i) {
            if (products[i][i] == 0) continue;
            double rest = target[i];
            for (std::size_t j = 0; j < n; ++j) rest -= products[i][j] * scaled[j];
            const double best = std::max(0.0, scaled[i] + rest / products[i][i]);
            change = std::max(change, std::abs(best - scaled[i]));
            largest = std::max(largest, scaled[i] = best);
        }
        if (change <= settled * largest) break;
    }
    for (std::size_t i = 0; i < n; ++i) costs_[i] = scale[i] > 0 ? scaled[i] / scale[i] : 0;
    // Relative errors prefer costs that are too low: twice too long counts 1, half as long 1/4. A
    // run is a sum of trainings, so sums have to agree.
    double timed = 0, said = 0;
    for (const Timed& each : timed_) {
        timed += each.seconds;
        said += seconds(each.load);
    }
    for (double& cost : costs_) cost *= said > 0 ? timed / said : 1;
}

double ScalingModel::seconds(const TrainingLoad& load) const {
    double sum = 0;
    for (std::size_t i = 0; i < load.size(); ++i) sum += costs_[i] * load[i];
    return sum;
}

double ScalingModel::relative_error() const {
    double sum = 0;
    for (const Timed& each : timed_) {
        const double error = seconds(each.load) / each.seconds - 1;
        sum += error * error;
    }
    return timed_.empty() ? 0 : std::sqrt(sum / static_cast<double>(timed_.size()));
}

}  // namespace edgeloop
