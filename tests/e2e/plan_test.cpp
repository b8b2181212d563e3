#include "support/programs.hpp"
#include "support/small_search.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/json.hpp"

#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;

// A plan of the published space, whose designs train for minutes.
Words slow_plan(const std::string& run_dir, const std::string& seconds) {
    return small_search(
        run_dir, {"--plan", "--plan-seconds", seconds, "--space", "hpc2edge", "--population", "12",
                  "--evaluations", "36", "--engine", "model-based"});
}

// Nothing begins after 4 s and what runs is cut off 5 s later, at its next step. On a machine that
// is slow or busy not even the smallest design may end by then: then that is what the plan says.
TEST(Plan, EndsInASlowSpaceAndSaysWhatItDoesNotKnow) {
    const TemporaryFolder folder;
    Words words = slow_plan(folder.path("run"), "4");
    words.emplace_back("--json");
    const auto result = run(words, 280);
    ASSERT_FALSE(result.timed_out) << result.output;
    EXPECT_THAT(result.output, HasSubstr("plan: timing trainings on groups of 1 for 4 s"));
    EXPECT_TRUE(std::filesystem::is_empty(folder.root()));
    if (result.code == 2) {
        EXPECT_THAT(result.output, HasSubstr("ended in time to be timed"));
        EXPECT_THAT(result.output, HasSubstr("give it more time, e.g. --plan-seconds 60"));
        return;
    }
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("plan: predicting runs"));
    const Json plan = parse_json(result.output.substr(result.output.find("\n{") + 1), "plan");
    EXPECT_GT(plan.at("designs_not_timed").get<int>() + plan.at("calibration_cut_off").get<int>(),
              0)
        << plan.dump(2);
    EXPECT_GE(plan.at("extrapolated_flops"), 1);
}

TEST(Plan, ASignalEndsItWithCode75AndNothingLeft) {
    for (const bool parallel : {false, true}) {
        const TemporaryFolder folder, outside;
        const Words words = slow_plan(folder.path("run"), "600");
        ChildOptions options;
        options.arguments = parallel ? mpirun(3, words) : words;
        options.output_file = outside.path("log");
        ChildProcess job(options);
        const double deadline = steady_seconds() + 60;
        const auto log = [&] { return read_file(options.output_file); };
        BackOff pause;
        while (log().find("plan: timing trainings") == std::string::npos) {
            ASSERT_LT(steady_seconds(), deadline) << log();
            pause.wait();
        }
        ::kill(job.pid(), parallel ? SIGUSR1 : SIGINT);
        const auto exit = job.wait_for(100);
        ASSERT_TRUE(exit) << log();
        EXPECT_EQ(exit->code, 75) << log();
        EXPECT_THAT(log(), HasSubstr("the plan was stopped"));
        EXPECT_EQ(log().find("MPI_ABORT"), std::string::npos) << log();
        EXPECT_TRUE(std::filesystem::is_empty(folder.root()));
    }
}

}  // namespace
}  // namespace edgeloop::test
