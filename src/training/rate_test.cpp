#include "edgeloop/training/rate_test.hpp"

#include "device_choice.hpp"
#include "phases.hpp"
#include "set_up.hpp"

#include "edgeloop/data/dataset.hpp"
#include "edgeloop/model/threads.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Whether the losses so far say that higher rates would only be worse.
bool diverged(const std::vector<RatePoint>& points, const RateTestSettings& how) {
    RateTest so_far;
    so_far.points = points;
    judge_rates(so_far, how);
    return so_far.points.size() < points.size() || so_far.diverged;
}

class Sweep {
  public:
    Sweep(TrainingRun& run, const CancelToken& token, PhaseGuard& guard)
        : run_(run), token_(token), guard_(guard) {}

    /// Mean loss of the next step, which is made with this rate. Collective.
    double step(double rate) {
        if (at_ == 0 || at_ == run_.train_steps()) {
            guard_.run(Phase::start_epoch, [this] { run_.start_epoch(++epoch_, 0); });
            at_ = 0;
        }
        const std::string place = fmt::format("rate {:.3g}", rate);
        StepTotals own;
        guard_.attempt(Phase::train_step, place, [&] {
            own.cancelled = token_.requested() ? 1 : 0;
            run_.compute_gradients(own);
        });
        own.failed = guard_.failure() ? 1 : 0;
        const StepTotals totals = run_.exchange_gradients(own);
        if (totals.failed > 0) guard_.leave();
        if (totals.cancelled > 0) throw EarlyEnd{Status::cancelled, "cancelled at " + place};
        guard_.attempt(Phase::update_weights, place, [&] { run_.update_weights(totals, rate); });
        ++at_;
        return totals.loss_sum / totals.samples;
    }

  private:
    TrainingRun& run_;
    const CancelToken& token_;
    PhaseGuard& guard_;
    int epoch_ = -1;
    std::size_t at_ = 0;
};

}  // namespace

void judge_rates(RateTest& test, const RateTestSettings& how) {
    test.diverged = false;
    double average = 0, weight = 1, least = std::numeric_limits<double>::infinity();
    std::size_t used = 0;
    for (RatePoint& point : test.points) {
        test.diverged = !std::isfinite(point.loss);
        if (test.diverged) break;
        average = how.smoothing * average + (1 - how.smoothing) * point.loss;
        weight *= how.smoothing;
        point.smoothed = average / (1 - weight);
        least = std::min(least, point.smoothed);
        ++used;
        test.diverged = point.smoothed > how.divergence * least;
        if (test.diverged) break;
    }
    test.points.resize(used);
    // Up to a few per cent the place of the minimum is a matter of the batches.
    constexpr double as_good = 1.1;
    const auto last =
        std::find_if(test.points.rbegin(), test.points.rend(),
                     [&](const auto& point) { return point.smoothed <= as_good * least; });
    test.rose = last != test.points.rbegin();
    test.suggested = last != test.points.rend() ? last->rate / 10 : 0;
}

RateTest test_rates(const TrainingSettings& settings, const Candidate& candidate,
                    const Communicator& group, const CancelToken& token,
                    const RateTestSettings& how) {
    set_compute_threads(settings.threads);
    RateTest test;
    PhaseGuard guard(group, token);
    std::shared_ptr<const Dataset> dataset = settings.dataset;
    try {
        const auto run = set_up_training(settings, dataset, candidate, group, guard);
        Sweep sweep(*run, token, guard);
        const double factor = std::log(how.highest / how.lowest) / std::max(1, how.steps - 1);
        for (int step = 0; step < how.steps; ++step) {
            const double rate = how.lowest * std::exp(factor * step);
            test.points.push_back({rate, sweep.step(rate), 0});
            if (diverged(test.points, how)) break;
        }
        judge_rates(test, how);
        if (test.points.empty())
            throw EarlyEnd{Status::failed,
                           fmt::format("the loss is not finite at the lowest rate")};
    } catch (const EarlyEnd& end) {
        test = {};
        test.status = end.status;
        test.reason = end.reason;
    }
    return test;
}

}  // namespace edgeloop
