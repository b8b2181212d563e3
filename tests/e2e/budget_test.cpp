#include "support/programs.hpp"
#include "support/small_search.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;

Words search(const std::string& run_dir, const Words& more) {
    return small_search(run_dir, with_defaults({{"--population", "6"}}, more));
}

std::string front_of(const std::string& run_dir) { return read_file(run_dir + "/pareto.csv"); }

Json status_of(const std::string& run_dir) { return read_json_file(run_dir + "/status.json"); }

/// Epochs that all designs of a run were trained for, as its table says.
double epochs_in(const std::string& run_dir) {
    const Words epochs = column(read_table(run_dir + "/evaluations.csv"), "epochs");
    return std::accumulate(
        epochs.begin(), epochs.end(), 0.0,
        [](double sum, const std::string& text) { return sum + std::stod(text); });
}

TEST(Budget, CountsWhatConfirmsTheFrontWhichIsConfirmedAllTheSame) {
    const TemporaryFolder folder;
    const auto result = run(search(folder.path("run"), {"--budget", "12epochs", "--confirm", "2"}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("at most as many trainings as there are designs in all"));
    const Words repeats = column(read_table(folder.path("run") + "/pareto.csv"), "val_rmse_n");
    ASSERT_FALSE(repeats.empty());
    EXPECT_EQ(repeats, Words(repeats.size(), "2"));
    EXPECT_GE(status_of(folder.path("run")).at("effort").at("spent").get<double>(),
              epochs_in(folder.path("run")) + 2 * double(repeats.size()));
}

TEST(Budget, OfEpochsGivesTheSameFrontOnOneToFourRanksAndAfterAStop) {
    const TemporaryFolder folder;
    const Words budget{"--rungs", "1", "2", "4", "--budget", "40epochs"};
    std::string whole;
    for (const int ranks : {1, 2, 3, 4}) {
        const std::string dir = folder.path(std::to_string(ranks));
        const auto result = run(mpirun(ranks, search(dir, budget)));
        ASSERT_EQ(result.code, 0) << result.output;
        if (ranks == 1) whole = front_of(dir);
        EXPECT_EQ(front_of(dir), whole) << ranks << " ranks";
        EXPECT_LE(epochs_in(dir), 40);
        EXPECT_GT(epochs_in(dir), 34);
        EXPECT_EQ(status_of(dir).at("effort").at("spent"), epochs_in(dir));
        EXPECT_EQ(status_of(dir).at("effort").at("unit"), "epochs");
        EXPECT_TRUE(status_of(dir).at("total").is_null());
        EXPECT_THAT(result.output, HasSubstr("/40 epochs ("));
        EXPECT_THAT(result.output, HasSubstr("the same command with --budget 80epochs"));
    }
    const std::string dir = folder.path("stopped");
    int stops = 0;
    for (int start = 0; start < 4; ++start) {
        Words words = budget;
        if (start > 0) words.emplace_back("--resume");
        if (start < 3) words.insert(words.end(), {"--time-limit", "0.1"});
        const auto result = run(search(dir, words));
        ASSERT_TRUE(result.code == 75 || result.code == 0) << result.output;
        stops += result.code == 75 ? 1 : 0;
    }
    EXPECT_GT(stops, 0);
    EXPECT_EQ(front_of(dir), whole);
}

TEST(Budget, MoreOfItOrOfTheEvaluationsContinuesTheRun) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    ASSERT_EQ(run(search(dir, {"--budget", "12epochs"})).code, 0);
    EXPECT_EQ(status_of(dir).at("done"), 12);
    ASSERT_EQ(run(search(dir, {"--budget", "24epochs", "--resume"})).code, 0);
    EXPECT_EQ(status_of(dir).at("done"), 24);
    ASSERT_EQ(run(search(dir, {"--budget", "48epochs", "--evaluations", "30", "--resume"})).code,
              0);
    EXPECT_EQ(status_of(dir).at("done"), 30);
    const std::string whole = folder.path("whole");
    ASSERT_EQ(run(search(whole, {"--evaluations", "30"})).code, 0);
    EXPECT_EQ(front_of(dir), front_of(whole));
}

TEST(Budget, OfTimeEndsTheRunNearIt) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const auto result = run(mpirun(3, search(dir, {"--budget", "0.0002corehours"})));
    ASSERT_EQ(result.code, 0) << result.output;
    const Json status = status_of(dir);
    EXPECT_EQ(status.at("effort").at("unit"), "core hours");
    EXPECT_GT(status.at("done"), 6);
    // One thread on one rank each: core hours are hours of training.
    EXPECT_NEAR(status.at("effort").at("spent").get<double>(),
                status.at("training_s").get<double>() / 3600, 1e-9);
}

TEST(Budget, IsPlanned) {
    const TemporaryFolder folder;
    const auto result =
        run(search(folder.path("run"), {"--plan", "--json", "--plan-seconds", "0.1", "--log-level",
                                        "error", "--rungs", "1", "2", "--budget", "48epochs"}));
    ASSERT_EQ(result.code, 0) << result.output;
    const Json plan = parse_json(result.output.substr(result.output.find('{')), "plan");
    // Generations of 6 at 1 epoch, 2 of which go on to 2.
    EXPECT_EQ(plan.at("epochs"), 48);
    EXPECT_EQ(plan.at("evaluations"), 36);
    EXPECT_EQ(plan.at("trainings"), 48);
}

TEST(Budget, ThatCannotBeUsedIsRefused) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const std::vector<std::pair<Words, std::string>> mistakes{
        {{"--budget", "20"}, "write it like 500epochs, 20corehours or 3600s"},
        {{"--budget", "20weeks"}, "the unit 'weeks' is unknown"},
        {{"--budget", "0s"}, "a number above 0"},
        {{"--budget", "3epochs", "--epochs", "5"}, "less than one design trains for"},
        {{"--budget", "3epochs", "--rungs", "1", "5"}, "one design trains for 5"},
    };
    for (const auto& [words, what] : mistakes) {
        const auto result = run(search(dir, words));
        EXPECT_EQ(result.code, 2) << result.output;
        EXPECT_THAT(result.output, HasSubstr(what));
        EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
        EXPECT_FALSE(std::filesystem::exists(dir));
    }
    const auto analytic = run({program("edgeloop-search"), "--problem", "zdt1", "--budget",
                               "30epochs", "--run-dir", dir});
    EXPECT_EQ(analytic.code, 2) << analytic.output;
    EXPECT_THAT(analytic.output, HasSubstr("an analytic problem trains no epochs"));
}

}  // namespace
}  // namespace edgeloop::test
