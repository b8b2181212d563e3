// Searches over tables of finished evaluations, and on a virtual clock, through the real program.
#include "support/made_up_table.hpp"
#include "support/programs.hpp"
#include "support/small_search.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Table : public ::testing::Test {
  protected:
    Table() {
        write("cells.tsv", made_up_table());
        write("cells.json", made_up_description());
    }

    void write(const std::string& name, const std::string& text) {
        write_file_atomic(folder_.path(name), text);
    }
    [[nodiscard]] std::string path(const std::string& name) const { return folder_.path(name); }
    [[nodiscard]] Words search(const std::string& run_dir, const Words& more = {},
                               const std::string& table = "cells.tsv") const {
        // The result of other engines depends on the order in which trainings finish.
        return Words{program("edgeloop-search"), "--problem", "table:" + path(table), "--run-dir",
                     path(run_dir)} +
               with_defaults({{"--population", "8"}, {"--seed", "5"}, {"--engine", "generational"}},
                             more);
    }
    [[nodiscard]] std::string file(const std::string& name) const { return read_file(path(name)); }
    [[nodiscard]] Words of(const std::string& run_dir, const std::string& name) const {
        return column(read_table(path(run_dir) + "/evaluations.csv"), name);
    }
    /// Output of a search that must be refused with exit code 2 and leave nothing behind.
    [[nodiscard]] std::string refused(const Words& more,
                                      const std::string& table = "cells.tsv") const {
        const auto result = run(search("refused", more, table));
        EXPECT_EQ(result.code, 2) << result.output;
        EXPECT_FALSE(std::filesystem::exists(path("refused")));
        EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
        return result.output;
    }

    const TemporaryFolder folder_;
};

/// Whether one row of the table of the made-up designs is dominated by none.
std::set<std::string> true_front() {
    struct Row {
        std::string design;
        double error, ms;
    };
    std::vector<Row> rows;
    std::istringstream lines(made_up_table());
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::istringstream cells(line);
        std::string op0, op1, depth, width, e12, e200, ms;
        cells >> op0 >> op1 >> depth >> width >> e12 >> e200 >> ms;
        rows.push_back(
            {op0 + ' ' + op1 + ' ' + depth + ' ' + width, std::stod(e200), std::stod(ms)});
    }
    std::set<std::string> front;
    for (const Row& row : rows)
        if (std::none_of(rows.begin(), rows.end(), [&](const Row& other) {
                return other.error <= row.error && other.ms <= row.ms &&
                       (other.error < row.error || other.ms < row.ms);
            }))
            front.insert(row.design);
    return front;
}

TEST_F(Table, WhollyTriedHasTheTrueFront) {
    const auto result = run(search("run", {"--evaluations", "81"}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output,
                HasSubstr("81 designs of 81 combinations of op0, op1, depth, width"));
    EXPECT_THAT(result.output, Not(HasSubstr("confirmed")));
    const auto table = read_table(path("run/pareto.csv"));
    const auto op0 = column(table, "op0"), op1 = column(table, "op1");
    const auto depth = column(table, "depth"), width = column(table, "width");
    std::set<std::string> front;
    for (std::size_t i = 0; i < op0.size(); ++i)
        front.insert(op0[i] + ' ' + op1[i] + ' ' + depth[i] + ' ' + width[i]);
    EXPECT_EQ(front, true_front());
    EXPECT_EQ(column(table, "parameters").size(), front.size()) << "what is counted is told too";
    EXPECT_EQ(read_json_file(path("run/provenance.json")).at("edge"), "table, not measured");
}

TEST_F(Table, HasTheSameFrontOnOneAndThreeRanks) {
    const Words rungs{"--evaluations", "40", "--rungs", "12", "200"};
    ASSERT_EQ(run(search("one", rungs)).code, 0);
    const auto three = run(mpirun(3, search("three", rungs)));
    ASSERT_EQ(three.code, 0) << three.output;
    EXPECT_EQ(file("three/pareto.csv"), file("one/pareto.csv"));
    const Words epochs = of("one", "epochs");
    EXPECT_EQ(epochs.size(), 40U);
    EXPECT_EQ(std::set<std::string>(epochs.begin(), epochs.end()),
              (std::set<std::string>{"12", "200"}));
    EXPECT_LT(std::count(epochs.begin(), epochs.end(), "200"), 20);
    const Words whole = column(read_table(path("one/pareto.csv")), "error");
    for (const std::string& error : whole)
        EXPECT_THAT(made_up_table(), HasSubstr("\t" + error)) << "of the last rung";
}

TEST_F(Table, KilledAndResumedEndsWithTheSameFrontAndWithNoOtherTable) {
    const Words budget{"--evaluations", "60"};
    ASSERT_EQ(run(search("whole", budget)).code, 0);
    // Cut off after a generation, as a kill would leave it.
    ASSERT_EQ(run(search("cut", {"--evaluations", "30"})).code, 0);
    std::filesystem::remove_all(path("cut/checkpoint"));
    std::istringstream lines(file("cut/journal.jsonl"));
    std::string kept;
    std::string line;
    for (int i = 0; i < 40 && std::getline(lines, line); ++i) kept += line + '\n';
    write("cut/journal.jsonl", kept + R"({"torn)");

    write("other.tsv", made_up_table() + "none\tnone\t1\t64\t50\t40\t0.5\t1\t1\n");
    const auto other =
        run(search("cut", {"--evaluations", "60", "--resume", "--table-spec", path("cells.json")},
                   "other.tsv"));
    EXPECT_EQ(other.code, 2) << other.output;
    EXPECT_THAT(other.output, HasSubstr("--table"));
    std::string changed = made_up_table();
    changed.replace(changed.rfind("\t2\n") - 1, 1, "7");  // a digit of the last parameters
    write("changed.tsv", changed);
    const auto same_space =
        run(search("cut", {"--evaluations", "60", "--resume", "--table-spec", path("cells.json")},
                   "changed.tsv"));
    EXPECT_EQ(same_space.code, 2) << same_space.output;
    EXPECT_THAT(same_space.output, HasSubstr("table"));

    // Another place and other words for the same table.
    write("moved.tsv", made_up_table());
    const auto resumed = run(search(
        "cut",
        {"--evaluations", "60", "--resume", "--genes", "depth:ordinal", "width:ordinal",
         "--objectives", "error", "edge_ms", "--measured", "edge_ms", "--counted", "parameters",
         "--fidelities", "error@12=error_e12", "error@200=error_e200", "--epoch-seconds", "s"},
        "moved.tsv"));
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_EQ(file("cut/pareto.csv"), file("whole/pareto.csv"));
}

// Replaying compares every proposal with what the engine says now.
TEST_F(Table, AModelLedSearchIsRebuiltFromItsJournalAndGoesOn) {
    for (const bool rungs : {false, true}) {
        Words more{"--engine", "model-based", "--evaluations", "60"};
        if (rungs) more.insert(more.end(), {"--rungs", "12", "200"});
        const std::string dir = rungs ? "with-rungs" : "without";
        const auto result = run(search(dir, more));
        ASSERT_EQ(result.code, 0) << result.output;
        EXPECT_THAT(result.output, HasSubstr("a model of all results chooses"));
        EXPECT_THAT(file(dir + "/journal.jsonl"),
                    rungs ? HasSubstr("by expected improvement") : HasSubstr("proposed"));
        const std::string journal = file(dir + "/journal.jsonl"), front = file(dir + "/pareto.csv");
        const auto resume = [&] {
            std::filesystem::remove_all(path(dir + "/checkpoint"));
            Words resumed = more;
            resumed.emplace_back("--resume");
            const auto again = run(search(dir, resumed));
            EXPECT_EQ(again.code, 0) << again.output;
            EXPECT_EQ(of(dir, "id").size(), 60U);
        };
        resume();
        EXPECT_EQ(file(dir + "/pareto.csv"), front);
        std::istringstream lines(journal);
        std::string kept, line;
        for (int i = 0; i < 150 && std::getline(lines, line); ++i) kept += line + '\n';
        write(dir + "/journal.jsonl", kept + R"({"torn)");
        resume();
    }
}

TEST_F(Table, AModelLeadsByDefaultOnManyRanksAndIsKilledAndResumed) {
    const auto words = [&](const Words& more) {
        Words all{program("edgeloop-search"),
                  "--problem",
                  "table:" + path("cells.tsv"),
                  "--run-dir",
                  path("run"),
                  "--evaluations",
                  "70",
                  "--log-level",
                  "info"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    };
    ChildOptions options;
    options.arguments = mpirun(4, words({}));
    options.output_file = path("log");
    ChildProcess job(options);
    ASSERT_TRUE(wait_for_lines(path("run/journal.jsonl"), 100)) << file("log");
    ::kill(-job.pid(), SIGKILL);
    ASSERT_TRUE(job.wait_for(20));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // until the lock is free
    const auto last = run(mpirun(3, words({"--resume"})));
    ASSERT_EQ(last.code, 0) << last.output;
    EXPECT_THAT(last.output, HasSubstr("a model of all results chooses"));
    EXPECT_EQ(of("run", "id").size(), 70U);
    EXPECT_THAT(file("run/config.ini"), HasSubstr("engine = model-based"));
    EXPECT_THAT(file("run/journal.jsonl"), HasSubstr("\"scouted\""));
    const Words measured = of("run", "edge_ms");
    EXPECT_EQ(std::count(measured.begin(), measured.end(), ""), 0);
}

TEST_F(Table, ChildrenOfARegressionAreForEnginesWithoutAModelOfTheirOwn) {
    EXPECT_THAT(refused({"--engine", "model-based", "--model-children", "30"}),
                HasSubstr("--model-children is for --engine generational and steady-state"));
}

TEST_F(Table, KilledWhileItRunsGoesOn) {
    // 81 designs last too short to be killed among them: a table without end of it.
    std::string text = "a\tb\tc\tx\ty\n";
    for (int a = 0; a < 40; ++a)
        for (int b = 0; b < 40; ++b)
            for (int c = 0; c < 40; ++c) {
                const int x = (a * 7 + b * 3 + c) % 101;
                text += fmt::format("a{}\tb{}\tc{}\t{}\t{}\n", a, b, c, x,
                                    200 - x + (a + b * 5 + c * 11) % 13);
            }
    write("large.tsv", text);
    const Words more{"--evaluations", "6000", "--objectives", "x", "y"};
    const auto whole = run(search("whole", more, "large.tsv"));
    ASSERT_EQ(whole.code, 0) << whole.output;
    Words resumed = more;
    resumed.emplace_back("--resume");
    for (const std::size_t events : {200U, 4000U}) {
        ChildOptions options;
        options.arguments =
            mpirun(3, search("killed", std::filesystem::exists(path("killed")) ? resumed : more,
                             "large.tsv"));
        options.output_file = path("log");
        ChildProcess job(options);
        ASSERT_TRUE(wait_for_lines(path("killed/journal.jsonl"), events)) << file("log");
        ::kill(-job.pid(), SIGKILL);
        ASSERT_TRUE(job.wait_for(20));
        std::this_thread::sleep_for(std::chrono::milliseconds(500));  // until the lock is free
    }
    const auto last = run(search("killed", resumed, "large.tsv"));
    ASSERT_EQ(last.code, 0) << last.output;
    EXPECT_EQ(file("killed/pareto.csv"), file("whole/pareto.csv"));
}

TEST_F(Table, MeasuredColumnsAreKnownBeforeTrainingAndMayCancelIt) {
    const auto result = run(search("run", {"--evaluations", "60", "--prune-hopeless",
                                           "--prune-optimism", "0", "--rungs", "12", "200"}));
    ASSERT_EQ(result.code, 0) << result.output;
    const Words status = of("run", "status"), reasons = of("run", "reason"),
                latency = of("run", "edge_ms"), error = of("run", "error");
    ASSERT_GT(std::count(status.begin(), status.end(), "cancelled"), 0);
    for (std::size_t i = 0; i < status.size(); ++i) {
        EXPECT_FALSE(latency[i].empty());
        if (status[i] != "cancelled") continue;
        EXPECT_THAT(reasons[i], HasSubstr("would dominate it"));
        EXPECT_TRUE(error[i].empty()) << "it was not trained";
    }
    EXPECT_NE(file("run/journal.jsonl").find("\"event\":\"measured\""), std::string::npos);
}

TEST_F(Table, LimitsOnCountedAndMeasuredColumnsHold) {
    const auto result = run(
        search("run", {"--evaluations", "40", "--constraint", "parameters<=2000", "edge_ms<=1"}));
    ASSERT_EQ(result.code, 0) << result.output;
    for (const std::string& ms : column(read_table(path("run/pareto.csv")), "edge_ms"))
        EXPECT_LE(std::stod(ms), 1);
    for (const std::string& count : column(read_table(path("run/pareto.csv")), "parameters"))
        EXPECT_LE(std::stod(count), 2000);
}

TEST_F(Table, DesignsThatItLacksAreInfeasible) {
    std::string text = "op0\top1\terror\tms\n";
    for (int i = 0; i < 6; ++i) text += fmt::format("a{}\tb{}\t{}\t{}\n", i, i, i, 6 - i);
    write("sparse.tsv", text);
    const auto result =
        run(search("run", {"--evaluations", "36", "--objectives", "error", "ms"}, "sparse.tsv"));
    ASSERT_EQ(result.code, 0) << result.output;
    const Words status = of("run", "status"), reasons = of("run", "reason");
    EXPECT_EQ(std::count(status.begin(), status.end(), "infeasible"), 30);
    EXPECT_EQ(std::count(reasons.begin(), reasons.end(), "this design is not in the table"), 30);
    EXPECT_EQ(std::count(status.begin(), status.end(), "completed"), 6);
}

TEST_F(Table, SimulatedWorkersTakeVirtualSeconds) {
    const auto seconds = [&](const std::string& name, const Words& more) {
        Words words{"--evaluations", "40", "--engine", "steady-state"};
        words.insert(words.end(), more.begin(), more.end());
        const auto result = run(search(name, words));
        EXPECT_EQ(result.code, 0) << result.output;
        const double virtual_s = read_json_file(path(name) + "/status.json").at("virtual_s");
        EXPECT_THAT(result.output, HasSubstr(fmt::format("{:.6g} virtual seconds", virtual_s)));
        return virtual_s;
    };
    const double one = seconds("one", {"--simulate-workers", "1"});
    double sum = 0;  // what the designs tried train, 200 epochs of depth / 2 seconds each
    for (const std::string& depth : of("one", "depth")) sum += 100 * std::stod(depth);
    EXPECT_NEAR(one, sum, 1e-6);
    double summed = 0;
    for (const std::string& text : of("one", "training_seconds")) summed += std::stod(text);
    EXPECT_NEAR(summed, sum, 1e-6);

    const double eight = seconds("eight", {"--simulate-workers", "8"});
    EXPECT_LT(eight, one / 3);
    EXPECT_GE(eight, one / 16);
    const double noisy = seconds("noisy", {"--simulate-workers", "8", "--simulate-sigma", "0.5"});
    EXPECT_NE(noisy, eight);
    EXPECT_EQ(noisy, seconds("again", {"--simulate-workers", "8", "--simulate-sigma", "0.5"}));
    EXPECT_EQ(file("noisy/pareto.csv"), file("again/pareto.csv"));
}

TEST_F(Table, SimulationDoesNotChangeAGenerationalSearch) {
    const Words rungs{"--evaluations", "40", "--rungs", "12", "200"};
    ASSERT_EQ(run(search("real", rungs)).code, 0);
    Words simulated = rungs;
    simulated.insert(simulated.end(), {"--simulate-workers", "4", "--simulate-sigma", "1"});
    const auto result = run(search("simulated", simulated));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(file("simulated/pareto.csv"), file("real/pareto.csv"));
}

TEST_F(Table, AnalyticProblemsAreSimulatedToo) {
    const auto result =
        run({program("edgeloop-search"), "--problem", "zdt1", "--run-dir", path("run"),
             "--evaluations", "100", "--population", "20", "--simulate-workers", "10"});
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(read_json_file(path("run/status.json")).at("virtual_s"), 10)
        << "5 generations of 20 designs of a second on 10 workers";
}

TEST_F(Table, ASimulationTakesNoOptionsOfRealTime) {
    const Words simulated{"--simulate-workers", "4"};
    const auto with = [&](const Words& more) {
        Words words = simulated;
        words.insert(words.end(), more.begin(), more.end());
        return refused(words);
    };
    EXPECT_THAT(with({"--resume"}), HasSubstr("--simulate-workers and --resume"));
    EXPECT_THAT(with({"--time-limit", "5"}), HasSubstr("--time-limit"));
    EXPECT_THAT(with({"--candidate-limit", "5"}), HasSubstr("--candidate-limit"));
    EXPECT_THAT(with({"--ranks-per-candidate", "2"}), HasSubstr("--ranks-per-candidate"));
    EXPECT_THAT(with({"--reuse", path("x")}), HasSubstr("--reuse"));
    EXPECT_THAT(refused({"--simulate-sigma", "1"}), HasSubstr("needs --simulate-workers"));
    const auto ranks = run(mpirun(3, search("refused", simulated)));
    EXPECT_EQ(ranks.code, 2) << ranks.output;
    EXPECT_THAT(ranks.output, HasSubstr("without mpirun"));
    const auto trains = run({program("edgeloop-search"), "--data", e2e_data("shards"), "--run-dir",
                             path("refused"), "--simulate-workers", "4"});
    EXPECT_EQ(trains.code, 2) << trains.output;
    EXPECT_THAT(trains.output, HasSubstr("use it with --problem"));
}

TEST_F(Table, AMistakeInItIsOneLineAndExitCode2) {
    EXPECT_THAT(refused({"--rungs", "12", "50", "200"}),
                AllOf(HasSubstr("no column for 50 epochs"), HasSubstr("12, 200")));
    EXPECT_THAT(refused({"--epochs", "9"}), HasSubstr("no column for 9 epochs"));
    EXPECT_THAT(refused({"--rungs", "12", "200", "--objectives", "edge_ms", "parameters"}),
                HasSubstr("no objective has columns by epochs"));
    EXPECT_THAT(refused({"--objectives", "eror", "edge_ms"}),
                AllOf(HasSubstr("'eror'"), HasSubstr("did you mean 'error'?")));
    EXPECT_THAT(refused({"--constraint", "latency<=1"}), HasSubstr("'latency'"));
    EXPECT_THAT(refused({"--budget", "500epochs", "--objectives", "edge_ms", "parameters"}),
                HasSubstr("--fidelities"));
    EXPECT_THAT(refused({"--measured", "slow_ms"}), HasSubstr("no column 'slow_ms'"));
    EXPECT_THAT(refused({"--genes", "depth:colour"}), HasSubstr("unknown kind 'colour'"));
    EXPECT_THAT(refused({"--table-spec", path("none.json")}), HasSubstr("none.json"));
    EXPECT_THAT(refused({}, "none.tsv"), HasSubstr("does not exist"));
    EXPECT_THAT(refused({}, ""), Not(HasSubstr("bug")));
    write("bare.tsv", made_up_table());
    EXPECT_THAT(refused({"--genes", "depth", "width"}, "bare.tsv"),
                AllOf(HasSubstr("--objectives is missing"), HasSubstr("error_e200")));
    EXPECT_THAT(refused({"--objectives", "error_e200", "edge_ms"}, "bare.tsv"),
                HasSubstr("the same design"));
    const std::vector<std::pair<std::string, std::string>> malformed{
        {"", "is empty"},
        {"op\tx\ty\n", "no rows"},
        {"op\tx\ty\na\t1\t2\nb\t1\n", "line 3"},
        {"op\tx\ty\na\t1\t2\nb\tone\t3\n", "column 'x': 'one'"},
        {"op\tx\ty\na\t1\t2\nb\tnan\t3\n", "is not finite"},
        {"op\tx\ty\na\t1\t2\na\t1\t3\n", "lines 2 and 3"},
        {"op\tz\ty\na\t1\t2\n", "'x'"}};
    for (const auto& [text, message] : malformed) {
        write("bad.tsv", text);
        EXPECT_THAT(refused({"--objectives", "x", "y"}, "bad.tsv"), HasSubstr(message)) << text;
    }
    const auto no_table = run({program("edgeloop-search"), "--problem", "zdt1", "--genes", "x",
                               "--run-dir", path("refused")});
    EXPECT_EQ(no_table.code, 2) << no_table.output;
    EXPECT_THAT(no_table.output, HasSubstr("there is no table"));
}

}  // namespace
}  // namespace edgeloop::test
