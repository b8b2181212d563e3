// A search whose device is away for a while. The device answers what `--edge model` would, so that
// the front can be compared with that of a run without an outage.
#include "support/eventually.hpp"
#include "support/programs.hpp"
#include "support/small_search.hpp"
#include "support/tcp_proxy.hpp"
#include "support/temporary_folder.hpp"
#include "support/tools.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;

class Outage : public testing::Test {
  protected:
    Outage() {
        // The tiny space with more values to choose from, so that most designs need a measurement
        // of their own.
        Json space = read_json_file(test_data("tiny_space.json"));
        for (Json& variable : space["variables"]) {
            const int step = variable["name"] == "cnn3d.channels.0" ? 2 : 1;
            if (step == 1 && variable["name"] != "cnn3d.hidden.0") continue;
            variable["choices"].clear();
            for (int value = 2; value <= 32; value += step) variable["choices"].push_back(value);
        }
        write_file_atomic(folder.path("space.json"), space.dump(), Durability::process_crash);
    }
    [[nodiscard]] Words search(const std::string& name, const std::string& edge,
                               const Words& more = {}) const {
        return mpirun(2,
                      small_search(folder.path(name),
                                   Words{"--space", folder.path("space.json"), "--population", "8",
                                         "--evaluations", "24", "--seed", "5", "--edge", edge} +
                                       more));
    }
    [[nodiscard]] std::unique_ptr<ChildProcess> start(const Words& arguments,
                                                      const std::string& log) const {
        ChildOptions options;
        options.arguments = arguments;
        options.output_file = folder.path(log);
        return std::make_unique<ChildProcess>(options);
    }
    [[nodiscard]] std::unique_ptr<ChildProcess> agent(const Words& more = {}) const {
        Words words{test_program("modelled_agent"), endpoint};
        words.insert(words.end(), more.begin(), more.end());
        return start(words, "agent.log");
    }
    [[nodiscard]] std::string text(const std::string& name) const {
        const std::string path = folder.path(name);
        return std::filesystem::exists(path) ? read_file(path) : "";
    }
    /// The table of a run's front, but for the device, which a model has not.
    [[nodiscard]] std::vector<Words> front(const std::string& name) const {
        auto table = read_table(folder.path(name + "/pareto.csv"));
        const auto found = std::find(table.at(0).begin(), table.at(0).end(), "device");
        if (found == table[0].end()) return table;
        const auto place = found - table[0].begin();
        for (Words& row : table) row.erase(row.begin() + place);
        return table;
    }
    /// Events of one kind in the journal of run "run".
    /// @param of_class  of devices; empty: any.
    [[nodiscard]] int count(const std::string& kind, const std::string& of_class = {}) const {
        std::istringstream lines(text("run/journal.jsonl"));
        int found = 0;
        for (std::string line; std::getline(lines, line);)
            found += line.find("\"" + kind + "\"") != std::string::npos &&
                             (of_class.empty() ||
                              line.find("\"class\":\"" + of_class + "\"") != std::string::npos)
                         ? 1
                         : 0;
        return found;
    }
    /// Jobs a device gets for the first `designs` designs of the run without an outage: those of
    /// the same architecture share one.
    [[nodiscard]] int jobs_of_first(std::size_t designs,
                                    const std::string& latency = "latency_ms") const {
        const auto latencies = column(read_table(folder.path("whole/evaluations.csv")), latency);
        return static_cast<int>(
            std::set<std::string>(latencies.begin(),
                                  latencies.begin() + static_cast<std::ptrdiff_t>(designs))
                .size());
    }
    /// An agent that ends in the second third of the run.
    void serve_the_first_third() const {
        const int jobs = jobs_of_first(8) + 1;
        ASSERT_GT(jobs_of_first(16), jobs);
        ASSERT_TRUE(agent({std::to_string(jobs)})->wait_for(60)) << text("search.log");
    }

    TemporaryFolder folder;
    std::string endpoint = "tcp://127.0.0.1:" + std::to_string(free_port());
};

TEST_F(Outage, ASearchTrainsOnWhileItsDeviceIsAwayAndFindsTheSameFront) {
    ASSERT_EQ(run(search("whole", "model")).code, 0);

    const auto job = start(search("run", "bind:" + endpoint), "search.log");
    serve_the_first_third();
    // The second third is trained to its end without a device, and the run says so.
    EXPECT_TRUE(eventually([&] { return count("trained") >= 16; })) << text("search.log");
    EXPECT_TRUE(eventually([&] {
        return text("search.log").find("device 'modelled' is gone") != std::string::npos;
    })) << text("search.log");
    EXPECT_TRUE(eventually([&] {
        return text("run/status.json").find("no device connected") != std::string::npos;
    })) << text("run/status.json");
    EXPECT_LT(count("measured"), 16);
    EXPECT_EQ(job->poll(), std::nullopt) << "it should wait";

    const auto second = agent();
    const auto exit = job->wait_for(120);
    ASSERT_TRUE(exit) << text("search.log");
    EXPECT_EQ(exit->code, 0) << text("search.log");
    EXPECT_EQ(front("run"), front("whole"));
    EXPECT_EQ(count("measured"), 24);
}

TEST_F(Outage, ALinkThatStaysDownEndsTheRunWithACheckpoint) {
    ASSERT_EQ(run(search("whole", "model")).code, 0);
    const Words limited = search("run", "bind:" + endpoint, {"--edge-timeout", "1"});
    {
        const auto job = start(limited, "search.log");
        serve_the_first_third();
        const auto exit = job->wait_for(60);
        ASSERT_TRUE(exit) << text("search.log");
        EXPECT_EQ(exit->code, 75) << text("search.log");
    }
    const auto second = agent();
    Words resumed = limited;
    resumed.emplace_back("--resume");
    const ProgramResult result = run(resumed);
    EXPECT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(front("run"), front("whole"));
}

/// A search that measures on two classes of devices, one limited by its memory.
class OutageOfAClass : public Outage {
  protected:
    [[nodiscard]] Words search_both(const std::string& name, const Words& more = {}) const {
        return search(name, "bind:" + endpoint,
                      Words{"--objectives", "val_rmse", "latency_ms@board", "latency_ms@pi",
                            "--constraint", "latency_ms@pi<=5"} +
                          more);
    }
    /// @param jobs  after which it ends; 0: never.
    [[nodiscard]] std::unique_ptr<ChildProcess> board(int jobs = 0) const {
        return start({test_program("modelled_agent"), endpoint, std::to_string(jobs), "board", "8"},
                     "board.log");
    }
    [[nodiscard]] std::unique_ptr<ChildProcess> pi(int jobs = 0) const {
        return start({test_program("modelled_agent"), endpoint, std::to_string(jobs), "pi", "0.05"},
                     "pi.log");
    }
    void run_without_an_outage() const {
        const auto first = board(), second = pi();
        const ProgramResult whole = run(search_both("whole"));
        ASSERT_EQ(whole.code, 0) << whole.output;
        EXPECT_THAT(whole.output, HasSubstr("fastest on board"));
        EXPECT_THAT(whole.output, HasSubstr("fastest on pi"));
        EXPECT_THAT(whole.output, HasSubstr("edge: board: 1 device; pi: 1 device"));
    }
    /// One that ends in the second third of the run.
    void pi_serves_the_first_third() const {
        const int jobs = jobs_of_first(8, "latency_ms@pi") + 1;
        ASSERT_GT(jobs_of_first(16, "latency_ms@pi"), jobs);
        ASSERT_TRUE(pi(jobs)->wait_for(60)) << text("search.log");
    }
};

TEST_F(OutageOfAClass, TheOtherGoesOnAndTheFrontIsTheSame) {
    run_without_an_outage();
    const auto table = read_table(folder.path("whole/pareto.csv"));
    for (const char* name : {"latency_is_modelled@board", "latency_is_modelled@pi"})
        EXPECT_THAT(column(table, name), ::testing::Each("1"));
    EXPECT_THAT(column(table, "device@board"), ::testing::Each("modelled-board"));
    EXPECT_THAT(column(table, "device@pi"), ::testing::Each("modelled-pi"));
    ASSERT_GT(table.size(), 2U);

    const auto job = start(search_both("run"), "search.log");
    const auto first = board();
    pi_serves_the_first_third();
    // The second third is trained, and measured by the other class, to its end.
    EXPECT_TRUE(eventually([&] { return count("trained") >= 16; })) << text("search.log");
    EXPECT_TRUE(eventually([&] { return count("measured", "board") >= 16; }));
    EXPECT_TRUE(eventually([&] {
        return text("run/status.json").find("board: 1 device; pi: no device of class 'pi'") !=
               std::string::npos;
    })) << text("run/status.json");
    EXPECT_LT(count("measured", "pi"), 16);
    EXPECT_EQ(job->poll(), std::nullopt) << "it should wait";

    const auto second = pi();
    const auto exit = job->wait_for(120);
    ASSERT_TRUE(exit) << text("search.log");
    EXPECT_EQ(exit->code, 0) << text("search.log");
    EXPECT_EQ(front("run"), front("whole"));
    EXPECT_EQ(count("measured", "board"), 24);
    EXPECT_EQ(count("measured", "pi"), 24);
}

TEST_F(OutageOfAClass, ThatLastsEndsTheRunWithACheckpointThatKeepsWhatTheOtherMeasured) {
    run_without_an_outage();
    // Both agents dial in within that, and one is away for longer.
    const Words limited = search_both("run", {"--edge-timeout", "10"});
    {
        const auto first = board();
        const auto job = start(limited, "search.log");
        pi_serves_the_first_third();
        const auto exit = job->wait_for(60);
        ASSERT_TRUE(exit) << text("search.log");
        EXPECT_EQ(exit->code, 75) << text("search.log");
        EXPECT_THAT(text("search.log"), HasSubstr("no device of class 'pi' that can measure"));
    }
    const int before = count("measured", "board");
    EXPECT_GT(before, count("measured", "pi"));
    const auto first = board(), second = pi();
    const ProgramResult result = run(limited + Words{"--resume"});
    EXPECT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(front("run"), front("whole"));
    EXPECT_EQ(count("measured", "board"), 24) << "what was measured is not measured again";
    EXPECT_EQ(count("measured", "pi"), 24);
}

/// Two classes, one of them simulated hardware.
TEST_F(OutageOfAClass, SimulatedHardwareIsKilledInAJobAndTheFrontIsTheSame) {
    if (!has_tool("verilator")) GTEST_SKIP() << "install the package verilator";
    const std::string circuits = "rtl-zynq7020";
    Json space = read_json_file(test_data("lowbit_space.json"));
    space["variables"][0]["choices"] = {2, 3, 4, 5, 6, 7, 8};
    write_file_atomic(folder.path("lowbit.json"), space.dump(), Durability::process_crash);
    const auto search = [&](const std::string& name) {
        return mpirun(
            2, small_search(folder.path(name),
                            {"--space", folder.path("lowbit.json"), "--population", "2",
                             "--evaluations", "6", "--edge", "bind:" + endpoint, "--objectives",
                             "val_rmse", "latency_ms@board", "latency_us@" + circuits,
                             "--device-class", "board:runtime=native", circuits + ":runtime=rtl"}));
    };
    const auto simulated = [&](const Words& more) {
        return start(
            Words{"/usr/bin/env", "TMPDIR=" + folder.root(), program("edgeloop-edge"), "serve",
                  "--connect", endpoint, "--runtime", "rtl", "--part", "zynq7020"} +
                more,
            "circuits.log");
    };
    // The agent's temporary folders, which its death leaves, go with the test's. The user that jobs
    // run as has to get there.
    std::filesystem::permissions(folder.root(), std::filesystem::perms::others_exec,
                                 std::filesystem::perm_options::add);
    const Words kept{"--cache", folder.path("cache")};
    const auto other = board();
    {
        const auto agent = simulated(kept);
        const ProgramResult whole = run(search("whole"), 400);
        ASSERT_EQ(whole.code, 0) << whole.output << text("circuits.log");
    }
    const auto job = start(search("run"), "search.log");
    {
        // It keeps no answers, so that its second one takes seconds.
        const auto agent = simulated({});
        EXPECT_TRUE(eventually([&] { return count("measured", circuits) >= 1; }))
            << text("search.log");
        ::kill(agent->pid(), SIGKILL);
    }
    EXPECT_TRUE(eventually([&] {
        return text("run/status.json").find("no device of class '" + circuits + "'") !=
               std::string::npos;
    })) << text("run/status.json");
    EXPECT_TRUE(eventually([&] { return count("measured", "board") >= 2; })) << text("search.log");
    EXPECT_LT(count("measured", circuits), 6);
    EXPECT_EQ(job->poll(), std::nullopt) << "it should wait";
    const auto agent = simulated(kept);
    const auto exit = job->wait_for(120);
    ASSERT_TRUE(exit) << text("search.log");
    EXPECT_EQ(exit->code, 0) << text("search.log");
    EXPECT_EQ(front("run"), front("whole"));
    EXPECT_EQ(count("measured", circuits), 6);
    EXPECT_THAT(
        column(read_table(folder.path("run/pareto.csv")), "latency_is_simulated@" + circuits),
        ::testing::Each("1"));
}

TEST_F(Outage, AFoundNetworkIsMeasuredWithItsTrainedWeights) {
    ASSERT_EQ(run(search("whole", "model", {"--save-weights"})).code, 0);
    const auto table = read_table(folder.path("whole/pareto.csv"));
    const std::string model = folder.path("whole/models/" + column(table, "id").at(0));
    const Words measure{program("edgeloop-edge"),
                        "measure",
                        "--spec",
                        model + "/spec.json",
                        "--seconds",
                        "0.05",
                        "--weights"};
    const auto with = [&](const std::string& weights) {
        Words words = measure;
        words.push_back(weights);
        return run(words);
    };
    const ProgramResult good = with(model + "/weights.safetensors");
    EXPECT_EQ(good.code, 0) << good.output;
    EXPECT_THAT(good.output, HasSubstr("latency_ms"));
    const ProgramResult wrong = with(model + "/spec.json");
    EXPECT_EQ(wrong.code, 2) << wrong.output;
    EXPECT_THAT(wrong.output, HasSubstr("safetensors"));
}

}  // namespace
}  // namespace edgeloop::test
