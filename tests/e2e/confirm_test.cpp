// Searches whose front is confirmed: designs are trained again with other seeds.
#include "support/programs.hpp"
#include "support/small_search.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Words search(const std::string& run_dir, const Words& more, const char* seed = "11") {
    return small_search(
        run_dir,
        with_defaults({{"--population", "6"}, {"--evaluations", "18"}, {"--seed", seed}}, more));
}

const Words twice{"--confirm", "2", "--save-weights"};

std::string front_of(const std::string& run_dir) { return read_file(run_dir + "/pareto.csv"); }

/// Number of the first line of the journal with this text; 0: there is none.
std::size_t line_with(const std::string& run_dir, const std::string& text) {
    std::istringstream lines(read_file(run_dir + "/journal.jsonl"));
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        if (line.find(text) != std::string::npos) return number;
    }
    return 0;
}

/// Kills a run at these numbers of journal lines and lets it go on to its end.
void kill_and_resume(const TemporaryFolder& folder, const std::string& dir, const Words& options,
                     const std::vector<std::size_t>& at_lines) {
    const auto command = [&] {
        Words words = search(dir, options);
        if (std::filesystem::exists(dir)) words.emplace_back("--resume");
        return words;
    };
    for (const std::size_t lines : at_lines) {
        ChildOptions child;
        child.arguments = mpirun(3, command());
        child.output_file = folder.path("log");
        ChildProcess job(child);
        ASSERT_TRUE(wait_for_lines(dir + "/journal.jsonl", lines)) << read_file(child.output_file);
        ::kill(-job.pid(), SIGKILL);
        ASSERT_TRUE(job.wait_for(20));
        // Ranks that outlive mpirun for a moment still hold the run's lock.
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    const auto resumed = run(mpirun(2, command()));
    ASSERT_EQ(resumed.code, 0) << resumed.output;
}

TEST(Confirm, TheFrontIsOfMeansWithTheirErrorsInEveryTable) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const auto result = run(search(dir, twice));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("is trained 2 more times with other seeds, at most 18 "
                                         "trainings in all"));
    EXPECT_THAT(result.output, HasSubstr(" on the front confirmed"));
    EXPECT_THAT(result.output, HasSubstr(" +- "));
    EXPECT_THAT(result.output, HasSubstr(" up to the reference point "));
    const auto front = read_table(dir + "/pareto.csv");
    const auto mean = column(front, "val_rmse"), first = column(front, "first_val_rmse");
    const auto n = column(front, "val_rmse_n"), sd = column(front, "val_rmse_sd"),
               se = column(front, "val_rmse_se"), ids = column(front, "id");
    ASSERT_GE(mean.size(), 2u);
    const auto all = read_table(dir + "/evaluations.csv");
    const auto all_ids = column(all, "id"), all_means = column(all, "val_rmse");
    ASSERT_EQ(all_ids.size(), 18u) << "repeats are no designs";
    for (std::size_t i = 0; i < mean.size(); ++i) {
        EXPECT_EQ(n[i], "2");
        EXPECT_NE(mean[i], first[i]);
        EXPECT_GT(std::stod(sd[i]), 0);
        EXPECT_GT(std::stod(se[i]), 0);
        const auto row = std::find(all_ids.begin(), all_ids.end(), ids[i]) - all_ids.begin();
        EXPECT_EQ(all_means[std::size_t(row)], mean[i]);
        EXPECT_TRUE(std::filesystem::exists(dir + "/models/" + ids[i] + "/weights.safetensors"));
    }
    const Json status = read_json_file(dir + "/status.json");
    EXPECT_EQ(status.at("done"), 18);
    EXPECT_EQ(status.at("confirmed"), mean.size());
    EXPECT_GE(status.at("confirming_trainings"), 2 * mean.size());
    EXPECT_LE(status.at("confirming_trainings"), 18);
    EXPECT_NE(line_with(dir, R"("what":"confirmed")"), 0u);
    EXPECT_EQ(status.at("reference").size(), 2u);

    const auto other = run(search(folder.path("other"), {"--confirm", "0"}, "12"));
    ASSERT_EQ(other.code, 0) << other.output;
    EXPECT_THAT(other.output, Not(HasSubstr("confirmed")));
    EXPECT_THAT(front_of(folder.path("other")), Not(HasSubstr("val_rmse_se")));
    EXPECT_EQ(read_json_file(folder.path("other/status.json")).at("reference").at(0),
              status.at("reference").at(0))
        << "the error of the mean predictor";
    // As a user goes on: a front whose results are reused, repeats included.
    const auto reused = run(search(folder.path("reused"), {"--confirm", "2", "--reuse", dir}));
    ASSERT_EQ(reused.code, 0) << reused.output;
    EXPECT_EQ(front_of(folder.path("reused")), front_of(dir));
}

TEST(Confirm, TheFrontIsTheSameOnAnyNumberOfRanksAndWhenKilled) {
    const TemporaryFolder folder;
    const std::string whole = folder.path("1");
    ASSERT_EQ(run(search(whole, twice)).code, 0);
    for (const int ranks : {2, 3, 4}) {
        const std::string dir = folder.path("mpi" + std::to_string(ranks));
        const auto result = run(mpirun(ranks, search(dir, twice)));
        ASSERT_EQ(result.code, 0) << result.output;
        EXPECT_EQ(front_of(dir), front_of(whole)) << ranks << " ranks";
    }
    // In the midst of the first designs, and of the first and the last repeats.
    const std::size_t first = line_with(whole, R"("id":100000000)");
    const std::size_t last = line_with(whole, R"("what":"stopped")");
    ASSERT_GT(first, 0u);
    EXPECT_EQ(last, 0u);
    const std::string dir = folder.path("killed");
    kill_and_resume(folder, dir, twice, {4, first + 3, first + 12});
    EXPECT_EQ(front_of(dir), front_of(whole));
    for (const std::string& id : column(read_table(dir + "/pareto.csv"), "id"))
        EXPECT_EQ(read_file(dir + "/models/" + id + "/weights.safetensors"),
                  read_file(whole + "/models/" + id + "/weights.safetensors"));
}

TEST(Confirm, OtherEnginesAndLaddersGoOnToo) {
    const TemporaryFolder folder;
    for (const Words& more :
         {Words{"--engine", "steady-state"}, Words{"--rungs", "1", "2"},
          Words{"--engine", "random", "--rungs", "1", "2"}, Words{"--engine", "model-based"},
          Words{"--engine", "model-based", "--rungs", "1", "2"}}) {
        Words options{"--confirm", "2"};
        options.insert(options.end(), more.begin(), more.end());
        const std::string dir = folder.path(more.back() + more[1]);
        kill_and_resume(folder, dir, options, {20, 60});
        const auto front = read_table(dir + "/pareto.csv");
        const auto n = column(front, "val_rmse_n");
        EXPECT_FALSE(n.empty());
        EXPECT_EQ(std::count(n.begin(), n.end(), "2"), std::ptrdiff_t(n.size()));
        EXPECT_EQ(column(read_table(dir + "/evaluations.csv"), "id").size(), 18u);
    }
}

TEST(Confirm, BadNumbersAreRefusedInOneLineAndARunKeepsItsOwn) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const auto refused = [&](const Words& more) {
        const auto result = run(search(dir, more));
        EXPECT_EQ(result.code, 2) << result.output;
        const std::string error = " error ";
        const std::size_t first = result.output.find(error);
        EXPECT_NE(first, std::string::npos);
        EXPECT_EQ(result.output.find(error, first + 1), std::string::npos) << "one line";
        return result.output;
    };
    EXPECT_THAT(refused({"--confirm", "1"}), HasSubstr("has no standard deviation"));
    EXPECT_THAT(refused({"--confirm", "19"}), HasSubstr("is more than --evaluations 18"));
    EXPECT_FALSE(std::filesystem::exists(dir));
    ASSERT_EQ(run(search(dir, twice)).code, 0);
    EXPECT_THAT(refused({"--confirm", "3", "--resume"}), HasSubstr("--confirm 2, now 3"));
    const auto problem = run({program("edgeloop-search"), "--problem", "zdt1", "--evaluations",
                              "40", "--confirm", "3", "--run-dir", folder.path("problem")});
    ASSERT_EQ(problem.code, 0) << problem.output;
    EXPECT_THAT(problem.output, Not(HasSubstr("confirmed"))) << "its results are exact";
}

}  // namespace
}  // namespace edgeloop::test
