#include "edgeloop/planning/planner.hpp"

#include "support/places.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/search/simulation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::planner_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double seconds_a_flop = 1e-9, message_s = 0.001;

// A machine in virtual time on which a training takes what its FLOPs and messages ask for.
class Planning : public testing::Test {
  protected:
    Planning() {
        settings_.population = 6;
        settings_.evaluations = 12;
        settings_.goals.objectives = {"val_rmse", "flops"};
        run_.make_engine = [this] { return make_engine(space_, settings_, counted); };
        run_.data = groups_.data = {96, 48};
        run_.by = by_;
        calibration_.designs = first_designs(*run_.make_engine());
    }

    static Metrics counted(const Candidate& candidate) {
        return {{"flops", design_costs(candidate).flops}};
    }

    double seconds(const Candidate& candidate) const {
        const TrainingLoad load =
            training_load(design_costs(candidate), groups_.data, candidate.epochs, groups_.ranks);
        return slowness_ * (seconds_a_flop * load[1] + message_s * load[4]);
    }

    // Of a calibration with groups of these sizes.
    void calibrate(const std::vector<int>& sizes, double for_s = 3) {
        for (const int size : sizes) {
            groups_.ranks = size;
            SimulatedEvaluator evaluator(clock_, 1, [this](const Candidate& candidate) {
                Outcome outcome;
                outcome.id = candidate.id;
                outcome.seconds = seconds(candidate);
                outcome.metrics = {{"val_rmse", 1 / std::log(design_costs(candidate).flops)}};
                return outcome;
            });
            time_trainings(evaluator, by_, groups_, for_s, calibration_);
        }
        if (calibration_.training.size() > 0) calibration_.training.fit();
    }

    SearchSpace space_ = SearchSpace::from_file(test::test_data("tiny_space.json"));
    EngineSettings settings_;
    VirtualClock clock_;
    bool stop_ = false;
    TimedBy by_{&clock_, [this] { return stop_; }};
    TimedGroups groups_;
    double slowness_ = 1;
    Calibration calibration_;
    PlannedRun run_;
};

TEST(GroupSizes, ArePowersOfTwoAndTheWantedOne) {
    EXPECT_THAT(sizes_to_time(0, 1), ElementsAre(1));
    EXPECT_THAT(sizes_to_time(9, 3), ElementsAre(1, 2, 3, 4, 8));
    EXPECT_THAT(sizes_to_time(2, 5), ElementsAre(1, 2));
}

TEST_F(Planning, FindsWhatTrainingsCost) {
    calibrate({1, 2});
    EXPECT_THAT(calibration_.group_sizes, ElementsAre(1, 2));
    EXPECT_GE(calibration_.training.size(), 20u);
    EXPECT_LT(calibration_.training.relative_error(), 0.01);
    EXPECT_EQ(calibration_.not_timed(), 0u);
    EXPECT_EQ(calibration_.given_up, 0u);
    EXPECT_NEAR(calibration_.trainings_took, clock_.now(), 1e-9);
    EXPECT_GT(calibration_.errors.gain, 0);
}

TEST_F(Planning, BeginsNothingThatWouldNotEndInTime) {
    slowness_ = 1000;
    double longest = 0;
    for (Candidate design : calibration_.designs) {
        design.epochs = 1;
        longest = std::max(longest, seconds(design));
    }
    calibrate({1}, longest / 4);
    EXPECT_GT(calibration_.training.size(), 0u);
    EXPECT_GT(calibration_.not_timed(), 0u);
    EXPECT_LT(calibration_.max_timed, calibration_.max_flops());
    EXPECT_LE(clock_.now(), longest / 2 + 5);
}

TEST_F(Planning, CutsOffWhatIsTooSlowAndTimesNothing) {
    slowness_ = 1e9;
    clock_.at(8, [] {});  // somebody looks at the time
    calibrate({1}, 1);
    EXPECT_EQ(calibration_.training.size(), 0u);
    EXPECT_EQ(calibration_.given_up, 1u);
    EXPECT_THAT(calibration_.group_sizes, ElementsAre());
    stop_ = true;
    calibrate({2}, 1);
    EXPECT_EQ(calibration_.given_up, 1u) << "nothing was begun";
}

class PlanningMeasurements : public Planning {
  protected:
    /// Times measurements for a second, each of which takes so long and gives these metrics.
    void time(double seconds, const Metrics& metrics, double first_s) {
        SimulatedProbe probe(clock_, 1, [&](const Candidate& candidate) {
            Outcome outcome;
            outcome.id = candidate.id;
            outcome.seconds = seconds;
            outcome.metrics = metrics;
            return outcome;
        });
        time_measurements(probe, by_, 1, first_s, calibration_);
    }
};

TEST_F(PlanningMeasurements, AreTimedForALittleLongerThanAskedUntilTheFirstIsThere) {
    time(3, {{"latency_ms", 2}}, 4);
    EXPECT_EQ(calibration_.measurements, 1u);
    EXPECT_EQ(calibration_.measuring_seconds, 3);
    EXPECT_TRUE(calibration_.latency_over_model);
}

TEST_F(PlanningMeasurements, OfSimulatedHardwareHaveNoLatencyOfATimer) {
    time(20, {{"latency_us", 2}}, 120);
    EXPECT_EQ(calibration_.measurements, 1u);
    EXPECT_EQ(calibration_.measuring_seconds, 20);
    EXPECT_EQ(calibration_.latency_over_model, std::nullopt);
}

TEST_F(Planning, PredictsFewerSecondsOnMoreRanksAndFindsTheBestGroups) {
    calibrate({1, 2});
    run_.ranks = 3;
    run_.machines.cores = 8;
    const Json two = make_plan(run_, calibration_);
    run_.ranks = 7;
    const Json six = make_plan(run_, calibration_);
    EXPECT_EQ(two.at("groups"), 2);
    EXPECT_EQ(two.at("trainings"), 12);
    EXPECT_LT(six.at("seconds"), two.at("seconds"));
    EXPECT_EQ(two.at("bottleneck"), "training");
    EXPECT_EQ(six.at("group_sizes").size(), 3u) << "1, 2 and 4 ranks";
    double best = 1e9, said = 0;
    for (const Json& size : six.at("group_sizes")) {
        best = std::min(best, size.at("seconds").get<double>());
        if (size.at("ranks_per_candidate") == six.at("best_ranks_per_candidate"))
            said = size.at("seconds");
    }
    EXPECT_EQ(said, best);
    run_.machines.devices = 1;
    run_.measuring_seconds = 100;
    const Json slow = make_plan(run_, calibration_);
    EXPECT_EQ(slow.at("bottleneck"), "measuring");
    EXPECT_NEAR(slow.at("seconds").get<double>(), 1200, 10);
    run_.unfit = 0.5;
    EXPECT_EQ(make_plan(run_, calibration_).at("bottleneck"), "memory");
}

TEST_F(Planning, RefusesGroupsThatCannotBeOrWereNotTimed) {
    calibrate({1});
    run_.ranks = 9;
    EXPECT_NO_THROW(check_plan(run_, calibration_));
    run_.ranks_per_candidate = 9;
    EXPECT_THROW(check_plan(run_, calibration_), ConfigError);
    run_.ranks_per_candidate = 2;
    EXPECT_THROW(check_plan(run_, calibration_), ConfigError);
}

TEST_F(Planning, TimesWhatAStoreCosts) {
    calibrate({1});
    NullRunStore store;
    EXPECT_GT(time_storing(run_, calibration_, store, [] { return 1.0; }), 0.001);
}

TEST_F(Planning, SaysOneAndManyAsPeopleDo) {
    calibrate({1});
    const Json one = make_plan(run_, calibration_);
    EXPECT_THAT(plan_text(one), HasSubstr("12 designs on 1 rank (1 group of 1, 1 core): "));
    EXPECT_THAT(plan_text(one), Not(HasSubstr("not timed")));
    settings_.evaluations = 1;
    run_.ranks = 5;
    run_.machines.cores = 8;
    run_.machines.devices = 1;
    run_.measuring_seconds = 10;
    run_.measuring_assumed = true;
    const std::string text = plan_text(make_plan(run_, calibration_));
    EXPECT_THAT(text, HasSubstr("1 design on 5 ranks (4 groups of 1, 8 cores): "));
    EXPECT_THAT(text, HasSubstr("\n  1 training of "));
    EXPECT_THAT(text, HasSubstr("not timed: measurements, taken to last 10 s"));
}

}  // namespace
}  // namespace edgeloop::planner_test
