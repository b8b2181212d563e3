#include "support/search_support.hpp"

#include "edgeloop/planning/planner.hpp"

#include <gtest/gtest.h>

namespace edgeloop::run_plan_test {
namespace {

std::unique_ptr<Engine> engine(std::size_t population = 4, std::uint64_t evaluations = 8) {
    static const SearchSpace space = test::unit_box(3);
    return make_engine(space,
                       test::box_settings(EngineKind::generational, population, evaluations));
}

PlanCosts costs(double training_s, double measuring_s = 0) {
    PlanCosts made;
    made.training_seconds = [=](const Candidate&) { return training_s; };
    made.measuring_seconds = measuring_s;
    made.trained = [](const Candidate& one) { return test::zdt1(one.genome); };
    return made;
}

PlanMachines machines(std::size_t groups, double cores = 100) {
    PlanMachines made;
    made.groups = groups;
    made.cores = cores;
    return made;
}

double seconds(const PlanMachines& machines, const PlanCosts& costs) {
    return predict_run(*engine(), machines, costs).seconds;
}

TEST(RunPlan, GenerationsWaitForTheirLast) {
    EXPECT_NEAR(seconds(machines(1), costs(10)), 80, 1e-6);
    EXPECT_NEAR(seconds(machines(4), costs(10)), 20, 1e-6);
    // 4 candidates on 3 groups: the fourth trains alone, twice.
    const RunPrediction three = predict_run(*engine(), machines(3), costs(10));
    EXPECT_NEAR(three.seconds, 40, 1e-6);
    EXPECT_EQ(three.trainings, 8u);
    EXPECT_NEAR(three.groups_busy, 80.0 / 120, 1e-6);
}

TEST(RunPlan, GroupsShareTheCoresThereAre) {
    PlanMachines shared = machines(4, 2);
    EXPECT_NEAR(seconds(shared, costs(10)), 40, 1e-6);
    shared.cores_of_group = 2;
    EXPECT_NEAR(seconds(shared, costs(10)), 80, 1e-6);
}

TEST(RunPlan, DispatchAndStoringAreAddedToTrainings) {
    PlanCosts with = costs(10);
    with.dispatch_seconds = 1;
    EXPECT_NEAR(seconds(machines(1), with), 88, 1e-6);
    with = costs(10);
    with.storing_seconds = 0.01;
    const RunPrediction stored = predict_run(*engine(), machines(1), with);
    EXPECT_GE(stored.events, 16u);  // each candidate is at least proposed and told
    EXPECT_GT(stored.seconds, 80);
}

TEST(RunPlan, ASlowDeviceIsTheBottleneckAndAFastOneIsNot) {
    PlanMachines with = machines(4);
    with.devices = 1;
    EXPECT_NEAR(seconds(with, costs(10, 1)), 20, 1e-6);  // behind the training
    EXPECT_NEAR(seconds(with, costs(10, 20)), 160, 1e-6);
    const auto make = [] { return engine(); };
    EXPECT_EQ(find_bottleneck(make, with, costs(10, 20)).part, "measuring");
    EXPECT_NEAR(find_bottleneck(make, with, costs(10, 20)).saves, 0.5, 1e-6);
    EXPECT_EQ(find_bottleneck(make, with, costs(10, 1)).part, "training");
    PlanCosts slow_dispatch = costs(1, 0.1);
    slow_dispatch.dispatch_seconds = 3;
    EXPECT_EQ(find_bottleneck(make, with, slow_dispatch).part, "dispatch");
}

TEST(RunPlan, ADeviceOnTheSameCoresSlowsTrainingDown) {
    PlanMachines with = machines(1, 1);
    with.devices = 1;
    with.devices_share = true;
    // 8 trainings and 8 measurements on one core, whatever their order.
    EXPECT_NEAR(seconds(with, costs(10, 5)), 120, 1e-6);
    with.devices_share = false;
    EXPECT_NEAR(seconds(with, costs(10, 5)), 80, 1e-6);
}

TEST(RunPlan, AStoreThatIsGivenGetsTheRun) {
    struct Counting : NullRunStore {
        void record(const Event&) override { ++events; }
        std::uint64_t events = 0;
    } store;
    EXPECT_EQ(predict_run(*engine(), machines(1), costs(10), &store).events, store.events);
}

}  // namespace
}  // namespace edgeloop::run_plan_test
