// A listed device, and a bridge, that answer what they should not: through the real programs.
#include "support/bridge_process.hpp"
#include "support/hostile_peers.hpp"
#include "support/programs.hpp"
#include "support/scripted_agent.hpp"
#include "support/small_search.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

class HostileDevice : public testing::Test {
  protected:
    [[nodiscard]] Words search(const std::string& edge, const Words& more = {}) const {
        return small_search(folder.path("run"),
                            Words{"--edge", edge} + with_defaults({{"--evaluations", "12"}}, more));
    }
    [[nodiscard]] std::vector<Words> table() const {
        return read_table(folder.path("run/evaluations.csv"));
    }
    [[nodiscard]] std::vector<Json> events(const std::string& kind) const {
        std::istringstream lines(read_file(folder.path("run/journal.jsonl")));
        std::vector<Json> found;
        for (std::string line; std::getline(lines, line);)
            if (Json event = Json::parse(line); event.at("event") == kind)
                found.push_back(std::move(event));
        return found;
    }
    /// No file for people has a letter in it that tells a terminal something.
    void expect_clean_files() const {
        for (const char* name : {"evaluations.csv", "pareto.csv", "progress.csv", "status.json",
                                 "provenance.json", "journal.jsonl"})
            EXPECT_EQ(command_in(read_file(folder.path("run/") + name)), "") << name;
    }

    TemporaryFolder folder;
};

bool connected(ScriptedAgent& agent) {
    const double deadline = steady_seconds() + 30;
    while (agent.session().state() != "connected" && steady_seconds() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return agent.session().state() == "connected";
}

MeasurementResult completed(Metrics metrics) {
    MeasurementResult result;
    result.metrics = std::move(metrics);
    result.seconds = 0.001;
    return result;
}

/// Lies in all ways, one after the other.
class Liar {
  public:
    std::vector<MeasurementResult> operator()(const MeasurementJob&) {
        const double best = 1e-9;  // would dominate everything
        std::vector<MeasurementResult> all{
            completed({{"latency_ms", best}, {"parameters", 1}}),
            completed({{"latency_ms", best}, {"flops", 1}}),
            completed({{"latency_ms", best}, {"val_rmse", best}}),
            completed({{"latency_ms", -1}}),
            completed({{"latency_ms", best}, {"latency_valid", 7}}),
            completed({{"latency_ms", best}, {hostile_text, 1}}),
            completed({{"latency_ms", best}}),
        };
        for (int i = 0; i < 500; ++i) all.back().metrics[fmt::format("new_{}_{}", next_, i)] = 1;
        MeasurementResult failed;
        failed.status = Status::failed;
        failed.reason = hostile_text;
        all.push_back(failed);
        return {all[next_++ % all.size()]};
    }

  private:
    std::size_t next_ = 0;
};

AgentOptions hostile_options(const std::string& endpoint) {
    AgentOptions options = ScriptedAgent::options(endpoint, "evil");
    options.record = Json{{"name", hostile_text}}.dump();
    return options;
}

TEST_F(HostileDevice, TheSearchGoesOnWithTheOtherDeviceAndItsOwnNumbersStand) {
    BridgeProcess bridge(folder.path("store"));
    const HostileAgent evil(hostile_options(bridge.endpoint()), Liar());
    ScriptedAgent honest(ScriptedAgent::options(bridge.endpoint(), "honest"),
                         [](const MeasurementJob&) {
                             return completed({{"latency_ms", 1.5}, {"latency_valid", 1}});
                         });
    ASSERT_TRUE(evil.connected() && connected(honest));
    const auto result = run(search(bridge.endpoint()));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_GE(evil.answered(), 1);
    EXPECT_EQ(command_in(result.output), "");
    const std::vector<Words> rows = table();
    EXPECT_THAT(column(rows, "status"), Each("completed"));
    EXPECT_THAT(column(rows, "device"), Each("honest"));
    EXPECT_THAT(column(rows, "latency_ms"), Each("1.5"));
    for (const std::string& error : column(rows, "val_rmse")) EXPECT_GT(std::stod(error), 1e-6);
    for (const std::string& name : rows.at(0)) EXPECT_EQ(name.find("new_"), std::string::npos);

    std::map<std::string, double> own;  // parameters by id
    for (const Json& proposed : events("proposed"))
        own[std::to_string(proposed.at("id").get<int>())] = proposed.at("known").at("parameters");
    const Words ids = column(rows, "id"), parameters = column(rows, "parameters");
    ASSERT_EQ(ids.size(), 12u);
    for (std::size_t i = 0; i < ids.size(); ++i)
        EXPECT_EQ(std::stod(parameters[i]), own.at(ids[i])) << ids[i];
    expect_clean_files();

    const auto status = run({program("edgeloop-bridge"), "status", "--connect", bridge.endpoint()});
    ASSERT_EQ(status.code, 0) << status.output;
    EXPECT_EQ(command_in(status.output), "");
    EXPECT_THAT(status.output, HasSubstr("the result of device 'evil' is refused"));
    EXPECT_THAT(status.output, HasSubstr("another device tries"));
}

TEST_F(HostileDevice, WhereNobodyElseMeasuresTheSearchStopsAndSaysWhoAndWhat) {
    const std::string endpoint = "tcp://127.0.0.1:" + std::to_string(free_port());
    const HostileAgent evil(hostile_options(endpoint), [](const MeasurementJob&) {
        return std::vector{completed({{"latency_ms", -1.5}})};
    });
    const auto result = run(search("bind:" + endpoint));
    EXPECT_EQ(result.code, 3) << result.output;
    EXPECT_THAT(result.output, HasSubstr("for the same reason: the result of device 'evil' is "
                                         "refused: latency_ms is -1.5, and has to be more than 0"));
    EXPECT_EQ(command_in(result.output), "");
    EXPECT_THAT(column(table(), "status"), Each("lost"));
    EXPECT_THAT(column(table(), "latency_ms"), Each(""));
    expect_clean_files();
}

TEST_F(HostileDevice, ItsReasonsAreTextInTheTablesAndOnTheTerminal) {
    const std::string endpoint = "tcp://127.0.0.1:" + std::to_string(free_port());
    const HostileAgent evil(hostile_options(endpoint), [](const MeasurementJob&) {
        MeasurementResult failed;
        failed.status = Status::failed;
        failed.reason = hostile_text;
        return std::vector{failed};
    });
    const auto result = run(search("bind:" + endpoint));
    EXPECT_EQ(result.code, 3) << result.output;
    EXPECT_THAT(result.output, HasSubstr("for the same reason: " + printable(hostile_text)));
    EXPECT_EQ(command_in(result.output), "");
    const std::string text = read_file(folder.path("run/evaluations.csv"));
    EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), table().size());
    EXPECT_THAT(column(table(), "reason"), Each(printable(hostile_text)));
    EXPECT_THAT(text, HasSubstr("\"'=cmd|"));
    expect_clean_files();
}

TEST_F(HostileDevice, ABridgeThatLiesReachesNoTerminalAndNoTable) {
    const HostileBridge bridge([](const wire::Packet& packet) -> std::vector<wire::Packet> {
        const std::string& text = hostile_text;
        if (std::holds_alternative<wire::Hello>(packet.message))
            return {{wire::DeviceInfo{text, text, Json{{"name", text}}.dump()}, 0},
                    {wire::LinkReport{1, 0}, 0}};
        if (std::holds_alternative<wire::StatusRequest>(packet.message)) {
            const Json device = {{"name", text},
                                 {"class", text},
                                 {"measured", 1},
                                 {"busy_fraction", 0.5},
                                 {"measuring", true}};
            const Json status = {{"up_s", 1},
                                 {"queued", 0},
                                 {"open_jobs", 0},
                                 {"results", 0},
                                 {"answers_per_minute", 0},
                                 {"devices", Json::array({device})},
                                 {"clients", Json::array({{{"name", text}, {"waiting_for", 1}}})},
                                 {"waiting", Json::array({{{"class", text},
                                                           {"jobs", 1},
                                                           {"devices", 0},
                                                           {"ids", Json::array({text})}}})},
                                 {"last_errors", Json::array({text})}};
            return {{wire::StatusReply{status.dump()}, packet.request}};
        }
        if (!std::holds_alternative<wire::Submit>(packet.message)) return {};
        MeasurementResult result = completed({{"latency_ms", 1e-9}, {"val_rmse", 0}});
        result.device = text;
        return {{wire::Accepted{}, packet.request}, {wire::Result{result}, packet.request}};
    });
    for (const char* form : {"--json", "--no-json"}) {
        const auto status =
            run({program("edgeloop-bridge"), "status", "--connect", bridge.endpoint(), form});
        ASSERT_EQ(status.code, 0) << status.output;
        EXPECT_EQ(command_in(status.output), "") << form;
        EXPECT_THAT(status.output, HasSubstr("u{202e}"));
    }
    const auto result = run(search(bridge.endpoint()));
    EXPECT_EQ(result.code, 3) << result.output;
    EXPECT_THAT(result.output, HasSubstr("is refused: 'val_rmse' (0) is not what a device "
                                         "measures"));
    EXPECT_EQ(command_in(result.output), "");
    EXPECT_THAT(column(table(), "status"), Each("lost"));
    EXPECT_THAT(column(table(), "val_rmse"), Each(""));
    expect_clean_files();
}

}  // namespace
}  // namespace edgeloop::test
