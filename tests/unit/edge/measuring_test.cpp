// What the agent makes of measuring processes that behave and that do not.
#include "measuring.hpp"

#include "job_process.hpp"
#include "measuring_process.hpp"
#include "support/places.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"

#include <fstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace edgeloop::measuring_test {
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
    if (result.metrics.at("latency_samples") >= 6) {  // fewer say nothing about their median
        EXPECT_LE(result.metrics.at("latency_low_ms"), result.metrics.at("latency_ms"));
        EXPECT_GE(result.metrics.at("latency_high_ms"), result.metrics.at("latency_ms"));
    }
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

/// With weights that the device keeps.
std::string reason_with_weights(const std::string& behaviour, const std::string& folder,
                                const std::string& name) {
    MeasurementSettings settings;
    settings.time_budget_s = 0.05;
    settings.weights = name;
    ProcessOptions options;
    options.command = {test::test_program("misbehaving_child")};
    options.weights_folder = folder;
    return MeasuringProcess(options)
        .measure(make_job(Json{{"behaviour", behaviour}}, settings, ""), [] { return false; })
        .reason;
}

TEST(MeasuringProcess, WeightsAreLookedUpInTheFolderOfTheDeviceOnly) {
    const test::TemporaryFolder folder;
    std::ofstream(folder.path("best.safetensors")) << "values";
    const std::string name = "best.safetensors";
    EXPECT_THAT(reason_with_weights("show weights", "", name),
                testing::HasSubstr("this device keeps no weights"));
    EXPECT_EQ(reason_with_weights("show weights", folder.root(), name), "weights: values");
    EXPECT_EQ(reason_with_weights("name weights", folder.root(), name), "bad weights in " + name);
    EXPECT_THAT(reason_with_weights("show weights", folder.root(), "other"),
                testing::HasSubstr("'" + folder.path("other") + "' does not exist"));
}

TEST(MeasuringProcess, WeightsThatAreNoFileAreRefusedAtOnce) {
    const test::TemporaryFolder folder;
    ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
    EXPECT_THAT(reason_with_weights("show weights", folder.root(), "pipe"),
                testing::HasSubstr("is not a regular file"));
}

TEST(MeasuringProcess, AJobHasItsChannelAndNothingElseOpen) {
    // Without closing on exec, as what a program is started with.
    const Descriptor stray(::open("/etc/hostname", O_RDONLY));
    ASSERT_GT(stray.get(), 2);
    EXPECT_EQ(outcome_of("show descriptors").reason, "open: 0 1 2 3 4");
}

TEST(MeasuringProcess, AJobHasNothingOfTheAgentsEnvironment) {
    ::setenv("EDGELOOP_TEST_SECRET", "key", 1);
    EXPECT_EQ(outcome_of("show environment").reason, "none");
}

TEST(MeasuringProcess, ANetworkThatSlowsItsClocksIsNoFaster) {
    const MeasurementResult result = outcome_of("slow clock");
    ASSERT_EQ(result.status, Status::completed) << result.reason;
    if (Json::parse(result.record).at("clock") != "kernel")
        GTEST_SKIP() << "this kernel does not say when a message was sent";
    // Each run takes two milliseconds at least.
    EXPECT_GE(result.metrics.at("latency_min_ms"), 1.9);
}

TEST(MeasuringProcess, OfWhatAJobSaysOnlyItsSizeIsTaken) {
    const MeasurementResult result = outcome_of("behave");
    ASSERT_EQ(result.status, Status::completed) << result.reason;
    EXPECT_EQ(result.metrics.at("parameters"), 1);
    EXPECT_GE(result.metrics.at("latency_ms"), 0.2);
    EXPECT_EQ(result.metrics.count("val_rmse"), 0u);
}

TEST(MeasuringProcess, WhoBreaksTheProtocolFailsWithAReason) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"answer unasked", "answered what it was not asked"},
        {"answer nonsense", "not valid JSON"},
        {"answer deeply", "nested deeper"},
        {"answer at length", "too long"},
        {"mark early", "before it was asked to run"},
        {"mark wrongly", "does not mark its runs as it should"},
        {"mark nonsense", "no mark"},
        {"leave", "has left its channel"}};
    for (const auto& [behaviour, reason] : cases) {
        const MeasurementResult result = outcome_of(behaviour);
        EXPECT_EQ(result.status, Status::failed) << behaviour;
        EXPECT_THAT(result.reason, testing::HasSubstr(reason)) << behaviour;
        EXPECT_TRUE(result.metrics.empty()) << behaviour;
    }
}

TEST(MeasuringProcess, AReasonIsTextOfBoundedLength) {
    const MeasurementResult result = outcome_of("fail loudly");
    EXPECT_EQ(result.status, Status::failed);
    EXPECT_THAT(result.reason, testing::StartsWith("\\u{1b}[31m"));
    EXPECT_LT(result.reason.size(), 2000u);
}

TEST(MeasuringProcess, MarksWithoutEndStopWhoSendsThem) {
    EXPECT_EQ(outcome_of("mark without end", 0, 1).reason, "no answer within 1 s");
}

TEST(MeasuringProcess, OneThatNeverFinishesBuildingIsEndedAndTheNextIsMeasured) {
    MeasurementSettings settings;
    settings.time_budget_s = 0.05;
    settings.time_limit_s = 0.5;
    ProcessOptions options;
    options.command = {test::test_program("misbehaving_child")};
    MeasuringProcess process(options);
    const auto outcome = [&](const char* what) {
        return process.measure(make_job(Json{{"behaviour", what}}, settings, ""),
                               [] { return false; });
    };
    EXPECT_EQ(outcome("hang at first").reason, "no answer within 0.5 s");
    settings.time_limit_s = 30;
    EXPECT_EQ(outcome("behave").status, Status::completed);
}

TEST(MeasuringProcess, NothingIsLeftOfOneThatIsEnded) {
    { (void)outcome_of("hang", 0, 0.3); }
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
}

// As on a kernel that filters no calls and makes no namespaces: then a job can start processes that
// leave its group and lose their parent.
TEST(MeasuringProcess, NothingIsLeftOfADaemonAlsoWhenItsMeasuringProcessIsKilled) {
    const std::pair<const char*, Status> cases[] = {{"daemon", Status::completed},
                                                    {"daemon and kill", Status::lost}};
    for (const auto& [behaviour, status] : cases) {
        ProcessOptions options;
        options.command = {test::test_program("misbehaving_child")};
        options.sandbox.mode = SandboxMode::off;
        MeasuringProcess process(options);
        MeasurementSettings settings;
        settings.time_budget_s = 0.05;
        const auto measured = [&](const char* what) {
            return process.measure(make_job(Json{{"behaviour", what}}, settings, ""),
                                   [] { return false; });
        };
        EXPECT_EQ(measured(behaviour).status, status) << behaviour;
        if (status == Status::lost)
            EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
        else
            EXPECT_EQ(children_of_this_process().size(), 1u) << "the measuring process";
        EXPECT_EQ(measured("behave").status, Status::completed) << "after " << behaviour;
    }
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
}

TEST(MeasuringProcess, SaysWhatHoldsJobs) {
    ProcessOptions options;
    options.command = {test::test_program("misbehaving_child")};
    const auto report = MeasuringProcess(options).sandbox(false, [] { return false; });
    ASSERT_TRUE(report);
    for (const char* key : {"mode", "strong", "seccomp", "files", "user", "namespaces", "network"})
        EXPECT_TRUE(report->contains(key)) << key << *report;
    EXPECT_FALSE(MeasuringProcess(options).sandbox(false, [] { return true; }));
    options.command = {"/bin/false"};
    EXPECT_THROW((void)MeasuringProcess(options).sandbox(false, [] { return false; }), IoError);
}

TEST(MeasuringProcess, WithoutASandboxItSaysSo) {
    ProcessOptions options;
    options.command = {test::test_program("misbehaving_child")};
    options.sandbox.mode = SandboxMode::off;
    MeasuringProcess process(options);
    const auto report = process.sandbox(true, [] { return false; });
    ASSERT_TRUE(report);
    EXPECT_EQ(report->at("mode"), "off");
    EXPECT_EQ(report->at("strong"), false);
    EXPECT_THAT(report->at("not_refused").get<std::vector<std::string>>(),
                testing::Contains("start a process"));
    MeasurementSettings settings;
    settings.time_budget_s = 0.05;
    EXPECT_EQ(
        process.measure(make_job(Json{{"behaviour", "behave"}}, settings, ""), [] { return false; })
            .status,
        Status::completed);
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
    settings.time_limit_s = 2;
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
}  // namespace edgeloop::measuring_test
