// What a search makes of measurements that are not valid, fail, or lack what it asks for.
#include "support/bridge_process.hpp"
#include "support/programs.hpp"
#include "support/scripted_agent.hpp"
#include "support/small_search.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class MeasuringSearch : public testing::Test {
  protected:
    [[nodiscard]] Words search(const std::string& edge, const Words& more = {}) const {
        return small_search(folder.path("run"),
                            Words{"--edge", edge} + with_defaults({{"--evaluations", "12"}}, more));
    }
    [[nodiscard]] std::vector<std::string> evaluations(const std::string& name) const {
        return column(read_table(folder.path("run/evaluations.csv")), name);
    }
    /// Events of one kind in the journal.
    [[nodiscard]] std::vector<Json> events(const std::string& kind) const {
        std::istringstream lines(read_file(folder.path("run/journal.jsonl")));
        std::vector<Json> found;
        for (std::string line; std::getline(lines, line);)
            if (Json event = Json::parse(line); event.at("event") == kind)
                found.push_back(std::move(event));
        return found;
    }
    [[nodiscard]] std::size_t notes(const std::string& what) const {
        const auto all = events("note");
        return static_cast<std::size_t>(std::count_if(
            all.begin(), all.end(), [&](const Json& note) { return note.at("what") == what; }));
    }

    TemporaryFolder folder;
};

bool connected(const AgentSession& session) {
    const double deadline = steady_seconds() + 30;
    while (session.state() != "connected" && steady_seconds() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return session.state() == "connected";
}

MeasurementResult answer(bool valid) {
    MeasurementResult result;
    result.metrics = {{"latency_ms", 1.5}, {"latency_valid", valid ? 1 : 0}};
    result.record = R"({"before":{"governor":"performance"}})";
    result.seconds = 0.001;
    return result;
}

TEST_F(MeasuringSearch, WhatOneDeviceMeasuresNotValidlyAnotherMeasuresAgain) {
    BridgeProcess bridge(folder.path("store"));
    const auto device = [&](const std::string& name, bool valid) {
        return std::make_unique<ScriptedAgent>(
            ScriptedAgent::options(bridge.endpoint(), name),
            [valid](const MeasurementJob&) { return answer(valid); });
    };
    const auto hot = device("hot", false), cool = device("cool", true);
    for (const auto* each : {&hot, &cool}) ASSERT_TRUE(connected((*each)->session()));
    const auto result = run(search(bridge.endpoint()));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(evaluations("latency_valid"), Each("1"));
    EXPECT_THAT(evaluations("device"), Each("cool"));
    EXPECT_THAT(result.output, Not(HasSubstr("not valid")));
    EXPECT_FALSE(events("measured").empty());
    for (const Json& measured : events("measured")) {
        EXPECT_EQ(measured.at("device"), "cool");
        EXPECT_EQ(measured.at("record").at("before").at("governor"), "performance");
    }
    EXPECT_GE(notes("measured again"), hot->measured());  // equal networks share a measurement
}

TEST_F(MeasuringSearch, WhatStaysNotValidIsMarkedEverywhereOrLostWhenItMustBeValid) {
    BridgeProcess bridge(folder.path("store"));
    const ScriptedAgent device(ScriptedAgent::options(bridge.endpoint(), "hot"),
                               [](const MeasurementJob&) { return answer(false); });
    const auto marked = run(search(bridge.endpoint(), {"--measure-retries", "1"}));
    ASSERT_EQ(marked.code, 0) << marked.output;
    EXPECT_THAT(evaluations("latency_valid"), Each("0"));
    EXPECT_EQ(notes("measured again"), 12u);
    EXPECT_THAT(marked.output, HasSubstr("on the front not valid"));
    EXPECT_THAT(marked.output, HasSubstr("could not be measured validly"));
    EXPECT_THAT(column(read_table(folder.path("run/pareto.csv")), "latency_valid"), Each("0"));

    std::filesystem::remove_all(folder.path("run"));
    const auto required = run(search(bridge.endpoint(), {"--require-valid"}));
    EXPECT_EQ(required.code, 3) << required.output;
    EXPECT_THAT(required.output, HasSubstr("none of 3 measurements was valid"));
    EXPECT_THAT(evaluations("status"), Each("lost"));
}

TEST_F(MeasuringSearch, StopsWhenEveryMeasurementFailsAndGoesOnWhenTheDeviceIsMended) {
    BridgeProcess bridge(folder.path("store"));
    {
        const ScriptedAgent broken(bridge.endpoint(), "device", ScriptedAgent::Behaviour::fails);
        const auto result = run(search(bridge.endpoint()));
        EXPECT_EQ(result.code, 3) << result.output;
        EXPECT_THAT(result.output, HasSubstr("for the same reason: scripted failure"));
        EXPECT_THAT(result.output, HasSubstr("--resume"));
        EXPECT_LT(evaluations("status").size(), 12u);
    }
    const ScriptedAgent mended(ScriptedAgent::options(bridge.endpoint(), "device"),
                               [](const MeasurementJob&) { return answer(true); });
    const auto result = run(search(bridge.endpoint(), {"--resume"}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(evaluations("status").size(), 12u);
    EXPECT_EQ(evaluations("status").back(), "completed");
}

TEST_F(MeasuringSearch, WhatThisMachineCannotMeasureIsRefusedBeforeAnythingTrains) {
    const auto info = run({program("edgeloop-edge"), "info"});
    ASSERT_EQ(info.code, 0) << info.output;
    const Json metrics = parse_json(info.output, "info").at("delivers").at("metrics");
    if (std::find(metrics.begin(), metrics.end(), "energy_mj") != metrics.end())
        GTEST_SKIP() << "this machine measures energy";
    const auto result = run(search("local", {"--objectives", "val_rmse", "energy_mj"}));
    EXPECT_EQ(result.code, 2) << result.output;
    EXPECT_THAT(result.output, HasSubstr("delivers no energy_mj"));
    EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
}

TEST_F(MeasuringSearch, ATailIsNotMeasuredOnCoresThatTrain) {
    // More threads than there are cores: whatever the machine, trainings leave too few.
    for (const Words& goal : {Words{"--objectives", "val_rmse", "latency_p99_ms"},
                              Words{"--constraint", "latency_max_ms<=5"}}) {
        Words more{"--measure-threads", "1024"};
        more.insert(more.end(), goal.begin(), goal.end());
        const auto result = run(search("local", more));
        EXPECT_EQ(result.code, 2) << result.output;
        EXPECT_THAT(result.output, HasSubstr("--edge local cannot measure latency_"));
        EXPECT_THAT(result.output, HasSubstr("a device of its own"));
        EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
    }
}

TEST_F(MeasuringSearch, WaitsForADeviceThatDeliversWhatIsAskedBeforeItTrains) {
    BridgeProcess bridge(folder.path("store"));
    AgentOptions poor = ScriptedAgent::options(bridge.endpoint(), "poor");
    poor.record = R"({"name":"poor","delivers":{"metrics":["latency_ms"]}})";
    const ScriptedAgent device(poor, [](const MeasurementJob&) { return answer(true); });
    const auto result = run(search(
        bridge.endpoint(), {"--objectives", "val_rmse", "energy_mj", "--edge-timeout", "3"}));
    EXPECT_EQ(result.code, 75) << result.output;
    EXPECT_THAT(result.output,
                HasSubstr("no training begins: device 'poor' delivers no energy_mj"));
    EXPECT_THAT(result.output, HasSubstr("(--edge-timeout)"));
    EXPECT_TRUE(events("started").empty());
}

TEST_F(MeasuringSearch, APauseCountsForNoLimitAndIsNoSilence) {
    for (const char* limit : {"--candidate-limit", "--silence-limit"}) {
        std::filesystem::remove_all(folder.path("run"));
        const auto result =
            run(mpirun(3, search("local", {"--pause-training", "always", "--measure-seconds", "3",
                                           "--measure-retries", "0", limit, "2"})));
        ASSERT_EQ(result.code, 0) << result.output;
        EXPECT_THAT(evaluations("status"), Each("completed")) << limit;
        for (const std::string& seconds : evaluations("training_seconds"))
            EXPECT_LT(std::stod(seconds), 2) << limit;
    }
}

TEST_F(MeasuringSearch, AClassThatThisMachineIsNotIsRefusedBeforeAnythingTrains) {
    const auto result = run(search("local", {"--device-class", "nosuch"}));
    EXPECT_EQ(result.code, 2) << result.output;
    EXPECT_THAT(result.output, HasSubstr("this machine is of class"));
    EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
}

TEST_F(MeasuringSearch, EachClassGetsItsJobsWithItsSettingsThroughOneBridge) {
    BridgeProcess bridge(folder.path("store"));
    const auto device = [&](const std::string& name, int threads, const std::string& runtime) {
        return std::make_unique<ScriptedAgent>(
            ScriptedAgent::options(bridge.endpoint(), name + "-1", name),
            [=](const MeasurementJob& job) {
                const MeasurementSettings settings = settings_of(job);
                MeasurementResult result = answer(true);
                result.metrics["latency_ms"] = name == "board" ? 1.5 : 2.5;
                if (job.device_class != name || settings.threads != threads ||
                    settings.runtime != runtime || settings.time_budget_s != 7)
                    result.status = Status::failed;
                return result;
            });
    };
    const auto board = device("board", 2, "torchscript"), pi = device("pi", 1, "eager");
    const auto result = run(search(
        bridge.endpoint(),
        {"--objectives", "val_rmse", "latency_ms@board", "latency_ms@pi", "flops",
         "--measure-seconds", "7", "--device-class", "board:threads=2,runtime=torchscript", "pi"}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(evaluations("status"), Each("completed"));
    EXPECT_THAT(evaluations("latency_ms@board"), Each("1.5"));
    EXPECT_THAT(evaluations("latency_ms@pi"), Each("2.5"));
    EXPECT_THAT(evaluations("device@pi"), Each("pi-1"));
    EXPECT_GT(board->measured(), 0u);
    EXPECT_EQ(board->measured(), pi->measured());
    for (const Json& measured : events("measured"))
        EXPECT_EQ(measured.at("device"), measured.at("class").get<std::string>() + "-1");
    // What they measured is taken over by class.
    const auto again = run(small_search(
        folder.path("again"),
        {"--edge", bridge.endpoint(), "--evaluations", "12", "--objectives", "val_rmse",
         "latency_ms@board", "latency_ms@pi", "flops", "--measure-seconds", "7", "--device-class",
         "board:threads=2,runtime=torchscript", "pi", "--reuse", folder.path("run")}));
    ASSERT_EQ(again.code, 0) << again.output;
    EXPECT_THAT(again.output, HasSubstr("12 trainings and 24 latencies can be reused"));
    EXPECT_EQ(read_table(folder.path("again/pareto.csv")).size(),
              read_table(folder.path("run/pareto.csv")).size());
}

TEST_F(MeasuringSearch, ThisMachineMeasuresInSeveralWaysAtOnce) {
    const auto result =
        run(search("local", {"--objectives", "val_rmse", "latency_ms@plain", "latency_ms@script",
                             "--measure-seconds", "0.1", "--evaluations", "6", "--device-class",
                             "plain", "script:runtime=torchscript"}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(evaluations("status"), Each("completed"));
    EXPECT_THAT(evaluations("device@plain"), Each(::testing::EndsWith("-plain")));
    EXPECT_THAT(evaluations("device@script"), Each(::testing::EndsWith("-script")));
    EXPECT_EQ(read_json_file(folder.path("run/provenance.json")).at("devices").size(), 2u);
}

TEST_F(MeasuringSearch, StopsWhenTheAgentOfThisMachineHasEnded) {
    ChildOptions options;
    options.arguments = search("local", {"--measure-seconds", "1"});
    options.output_file = folder.path("output");
    ChildProcess child(options);
    ASSERT_TRUE(wait_for_lines(folder.path("run/journal.jsonl"), 3));
    const std::string parent = "PPid:\t" + std::to_string(child.pid()) + "\n";
    bool killed = false;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string number = entry.path().filename();
        if (number.find_first_not_of("0123456789") != std::string::npos) continue;
        std::ifstream file(entry.path() / "status");
        const std::string status{std::istreambuf_iterator<char>(file), {}};
        if (status.find(parent) == std::string::npos) continue;
        killed = ::kill(std::stoi(number), SIGKILL) == 0;
    }
    ASSERT_TRUE(killed);
    const auto exit = child.wait_for(60);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->code, 3);
    const std::string output = read_file(folder.path("output"));
    EXPECT_THAT(output, HasSubstr("the agent of this machine has ended"));
    EXPECT_THAT(output, HasSubstr("--resume"));
}

TEST_F(MeasuringSearch, ALocalAgentMeasuresWhileTrainingsPause) {
    const auto result =
        run(mpirun(3, search("local", {"--pause-training", "always", "--measure-seconds", "0.3"})));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("pause while --edge local measures"));
    EXPECT_THAT(result.output, Not(HasSubstr("did not pause")));
    EXPECT_THAT(evaluations("status"), Each("completed"));
    EXPECT_THAT(evaluations("device"), Each(StartsWith("local-")));
    EXPECT_FALSE(events("measured").empty());
    for (const Json& measured : events("measured"))
        EXPECT_TRUE(measured.at("record").at("before").contains("load_1min"));
    const Json provenance = read_json_file(folder.path("run/provenance.json"));
    EXPECT_EQ(provenance.at("devices").size(), 1u);
}

}  // namespace
}  // namespace edgeloop::test
