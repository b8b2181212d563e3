#include "edgeloop/cli/search_config.hpp"

#include "edgeloop/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::cli {
namespace {

std::string outcome(std::vector<const char*> words) {
    words.insert(words.begin(), "edgeloop-search");
    SearchConfig config;
    std::string text;
    try {
        static_cast<void>(parse_search_config(static_cast<int>(words.size()), words.data(),
                                              Voice::speaks, config, text));
    } catch (const ConfigError& error) {
        return error.what();
    }
    return text;
}

TEST(SearchConfig, ResolvedConfigurationIsReturnedAsText) {
    const std::string text =
        outcome({"--run-dir", "r", "--problem", "zdt1", "--constraint", "f1<=0.5"});
    EXPECT_THAT(text, ::testing::HasSubstr("\nproblem = zdt1\n"));
    EXPECT_THAT(text, ::testing::HasSubstr("\nconstraint = f1<=0.5\n"));
    EXPECT_THAT(text, ::testing::HasSubstr("\npopulation = 20\n"));
}

TEST(SearchConfig, EveryImpossibleValueIsRefusedByName) {
    const auto with = [](std::vector<const char*> words) {
        words.insert(words.begin(), {"--run-dir", "r", "--problem", "zdt1"});
        return outcome(words);
    };
    EXPECT_THAT(outcome({"--problem", "zdt1"}), ::testing::HasSubstr("--run-dir is missing"));
    EXPECT_THAT(outcome({"--run-dir", "r"}), ::testing::HasSubstr("--data is missing"));
    EXPECT_THAT(with({"--data", "d"}), ::testing::HasSubstr("exclude each other"));
    EXPECT_THAT(with({"--edge", "udp://x"}), ::testing::HasSubstr("--edge 'udp://x' is unknown"));
    EXPECT_THAT(with({"--population", "1"}), ::testing::HasSubstr("--population is 1"));
    EXPECT_THAT(with({"--evaluations", "0"}), ::testing::HasSubstr("--evaluations is 0"));
    EXPECT_THAT(with({"--ranks-per-candidate", "0"}),
                ::testing::HasSubstr("--ranks-per-candidate is 0"));
    EXPECT_THAT(with({"--crossover-probability", "1.5"}),
                ::testing::HasSubstr("--crossover-probability is 1.5"));
    EXPECT_THAT(with({"--reduction", "1"}), ::testing::HasSubstr("--reduction is 1"));
    EXPECT_THAT(with({"--model-children", "0"}), ::testing::HasSubstr("--model-children is 0"));
    EXPECT_THAT(with({"--log-level", "loud"}), ::testing::HasSubstr("loud"));
    EXPECT_THAT(with({"--plan"}), ::testing::HasSubstr("exclude each other"));
    EXPECT_THAT(with({"--plan-devices", "0"}), ::testing::HasSubstr("out of range"));
    EXPECT_THAT(with({"--time-limit", "-1"}), ::testing::HasSubstr("--time-limit is -1"));
}

}  // namespace
}  // namespace edgeloop::cli
