// Completion for bash, with the programs that are there: what it offers is what they take.
#include "support/programs.hpp"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

// What bash would offer for the last of these words.
Words completed(const Words& typed) {
    Words command{"/bin/bash", "-c",
                  "export PATH='" + in_build("bin") + "':\"$PATH\"; . '" +
                      in_source("src/cli/edgeloop.bash") +
                      "'; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _edgeloop; printf '%s\\n' "
                      "\"${COMPREPLY[@]}\"",
                  "bash"};
    command.insert(command.end(), typed.begin(), typed.end());
    const auto result = run(command);
    EXPECT_EQ(result.code, 0) << result.output;
    Words offered;
    std::istringstream lines(result.output);
    for (std::string line; std::getline(lines, line);)
        if (!line.empty()) offered.push_back(line);
    return offered;
}

TEST(Completion, OffersOptionsTheirWordsAndSubcommands) {
    EXPECT_THAT(completed({"edgeloop-search", "--tens"}), ElementsAre("--tensorboard"));
    EXPECT_THAT(completed({"edgeloop-search", "--engine", ""}),
                ElementsAre("model-based", "generational", "steady-state", "random"));
    EXPECT_THAT(completed({"edgeloop-search", "--engine", "=", "gen"}),
                ElementsAre("generational"));
    EXPECT_THAT(completed({"edgeloop-report", "--export", "o"}), ElementsAre("optuna"));
    EXPECT_THAT(completed({"edgeloop-data", "sh"}), ElementsAre("shard"));
    EXPECT_THAT(completed({"edgeloop-model", ""}),
                AllOf(Contains("train"), Contains("deploy"), Contains("--help")));
    EXPECT_THAT(completed({"edgeloop-bridge", "serve", "--al"}), ElementsAre("--allow"));
    EXPECT_THAT(completed({"edgeloop-edge", "measure", "--no-such"}), IsEmpty());
}

TEST(Completion, OffersFilesWhereTheyBelong) {
    EXPECT_THAT(completed({"edgeloop-search", "--config", in_source("mpi_launch/quick")}),
                Contains(in_source("mpi_launch/quickstart.ini")));
    EXPECT_THAT(completed({"edgeloop-report", in_source("tests/data/r")}),
                AllOf(Contains(in_source("tests/data/runs")), Not(Contains(StartsWith("--")))));
}

}  // namespace
}  // namespace edgeloop::test
