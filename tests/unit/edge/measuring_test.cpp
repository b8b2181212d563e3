// What the agent makes of measuring processes that behave and that do not.
#include "measuring_child.hpp"
#include "measuring_process.hpp"
#include "support/places.hpp"

#include "edgeloop/core/error.hpp"

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

MeasurementResult outcome_of(const std::string& behaviour, double memory_limit_mib = 0,
                             double time_limit_s = 30) {
    MeasurementSettings settings;
    settings.time_budget_s = 0.1;
    settings.time_limit_s = time_limit_s;
    settings.memory_limit_mib = memory_limit_mib;
    ProcessOptions options;
    options.command = {test::test_program("misbehaving_child")};
    MeasuringProcess process(options);
    return process.measure(make_job(Json{{"behaviour", behaviour}}, settings, ""),
                           [] { return false; });
}

TEST(MeasuringProcess, GivesMetricsAndARecord) {
    const MeasurementResult result = outcome_of("behave");
    ASSERT_EQ(result.status, Status::completed) << result.reason;
    EXPECT_GE(result.metrics.at("latency_ms"), 0.2);
    // Tails are those of all runs, the median that of the undisturbed ones, which beside other
    // programs may be few.
    EXPECT_GE(result.metrics.at("latency_samples"), 1);
    EXPECT_GE(result.metrics.at("latency_max_ms"), result.metrics.at("latency_p90_ms"));
    EXPECT_GE(result.metrics.at("latency_max_ms"), result.metrics.at("latency_ms"));
    EXPECT_LE(result.metrics.at("latency_low_ms"), result.metrics.at("latency_ms"));
    EXPECT_GE(result.metrics.at("latency_high_ms"), result.metrics.at("latency_ms"));
    EXPECT_GT(result.metrics.at("peak_memory_mib"), 0);
    const Json record = Json::parse(result.record);
    EXPECT_TRUE(record.contains("before"));
    EXPECT_TRUE(record.contains("after"));
    ASSERT_EQ(record.at("batches").size(), 1u);
    const Json batch = record.at("batches").at(0);
    EXPECT_GT(batch.at("timed_runs"), 2);
    EXPECT_EQ(result.metrics.count("latency_p99_ms"), batch.at("timed_runs") >= 662 ? 1u : 0u);
    EXPECT_GE(batch.at("warm_up_s").get<double>(), 0.025);
    EXPECT_EQ(result.metrics.count("pipeline_ms"), 0u) << "it sees no clips";
}

TEST(MeasuringProcess, TimeWithoutTheProcessorMakesAResultNotValid) {
    // This network sleeps, as one does whose core another program uses.
    const MeasurementResult result = outcome_of("behave");
    EXPECT_EQ(result.metrics.at("latency_valid"), 0);
    const Json batch = Json::parse(result.record).at("batches").at(0);
    const auto reasons = batch.at("not_valid_because").get<std::vector<std::string>>();
    ASSERT_FALSE(reasons.empty());
    EXPECT_NE(reasons.back().find("% of a processor, and needs 90 %"), std::string::npos)
        << reasons.back();
    EXPECT_LT(batch.at("cpu_s").get<double>(), 0.9 * batch.at("wall_s").get<double>());
}

TEST(MeasuringProcess, PatienceEndsBeforeTheTimeLimit) {
    MeasurementSettings settings;
    settings.time_budget_s = 10;
    MeasuringLimits limits;
    limits.patience = 3;
    limits.time_limit_s = 300;
    EXPECT_DOUBLE_EQ(timing_plan(settings, limits).max_s, 30);
    settings.batches = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
    EXPECT_DOUBLE_EQ(timing_plan(settings, limits).max_s, 21);
    limits.patience = 1;
    EXPECT_DOUBLE_EQ(timing_plan(settings, limits).max_s, 10);
}

TEST(MeasuringProcess, TheTimeBudgetEndsAMeasurementEarlierThanTheTimeToCover) {
    MeasurementSettings settings;
    settings.time_budget_s = 0.1;
    settings.min_seconds = 5;
    EXPECT_LE(timing_plan(settings, {}).min_seconds, 0.05);
}

TEST(MeasuringProcess, AnExitIsAFailureWithItsCode) {
    const MeasurementResult result = outcome_of("exit");
    EXPECT_EQ(result.status, Status::failed);
    EXPECT_NE(result.reason.find("code 7"), std::string::npos) << result.reason;
    EXPECT_TRUE(result.metrics.empty());
}

TEST(MeasuringProcess, AnAbortIsAFailureWithItsSignal) {
    const MeasurementResult result = outcome_of("abort");
    EXPECT_EQ(result.status, Status::failed);
    EXPECT_NE(result.reason.find("signal 6"), std::string::npos) << result.reason;
}

TEST(MeasuringProcess, AllocatingWithoutEndStopsAtTheLimit) {
    const MeasurementResult result = outcome_of("allocate", 256);
    EXPECT_EQ(result.status, Status::failed);
    EXPECT_NE(result.reason.find("out of memory"), std::string::npos) << result.reason;
    EXPECT_EQ(result.failure_of, FailureOf::device);
}

TEST(MeasuringProcess, OneThatNeverReturnsIsEnded) {
    const MeasurementResult result = outcome_of("hang", 0, 0.3);
    EXPECT_EQ(result.status, Status::failed);
    EXPECT_NE(result.reason.find("no answer within 0.3 s"), std::string::npos) << result.reason;
}

TEST(MeasuringProcess, ASpecThatCannotBeBuiltSaysWhy) {
    const MeasurementResult result = outcome_of("refuse");
    EXPECT_EQ(result.status, Status::failed);
    EXPECT_EQ(result.reason, "this network cannot be built");
    EXPECT_EQ(result.failure_of, FailureOf::network);
}

TEST(MeasuringProcess, WeightsAreLookedUpInTheFolderOfTheDeviceOnly) {
    MeasurementSettings settings;
    settings.time_budget_s = 0.05;
    settings.weights = "best.safetensors";
    const MeasurementJob job = make_job(Json{{"behaviour", "show weights"}}, settings, "");
    ProcessOptions options;
    options.command = {test::test_program("misbehaving_child")};
    EXPECT_NE(MeasuringProcess(options)
                  .measure(job, [] { return false; })
                  .reason.find("this device keeps no weights"),
              std::string::npos);
    options.weights_folder = "/weights";
    EXPECT_EQ(MeasuringProcess(options).measure(job, [] { return false; }).reason,
              "weights: /weights/best.safetensors");
}

TEST(MeasuringProcess, ADeadOneIsNoticedAndTheJobReturned) {
    ProcessOptions options;
    options.command = {"/bin/false"};
    MeasuringProcess process(options);
    const MeasurementResult result =
        process.measure(make_job(Json::object(), MeasurementSettings{}, ""), [] { return false; });
    EXPECT_EQ(result.status, Status::lost);
}

TEST(MeasuringProcess, GoesOnAfterEachKindOfMisbehaviour) {
    MeasurementSettings settings;
    settings.time_budget_s = 0.05;
    settings.time_limit_s = 0.5;
    settings.memory_limit_mib = 256;
    ProcessOptions options;
    options.command = {test::test_program("misbehaving_child")};
    MeasuringProcess process(options);
    for (const char* behaviour : {"exit", "abort", "hang", "allocate", "refuse"}) {
        const auto outcome = [&](const char* what) {
            return process.measure(make_job(Json{{"behaviour", what}}, settings, ""),
                                   [] { return false; });
        };
        EXPECT_EQ(outcome(behaviour).status, Status::failed) << behaviour;
        const MeasurementResult next = outcome("behave");
        EXPECT_EQ(next.status, Status::completed) << "after " << behaviour << ": " << next.reason;
    }
}

TEST(MeasuringProcess, GivingUpReturnsTheJob) {
    ProcessOptions options;
    options.command = {test::test_program("misbehaving_child")};
    MeasuringProcess process(options);
    const MeasurementResult result = process.measure(
        make_job(Json{{"behaviour", "hang"}}, MeasurementSettings{}, ""), [] { return true; });
    EXPECT_EQ(result.status, Status::lost);
}

}  // namespace
}  // namespace edgeloop
