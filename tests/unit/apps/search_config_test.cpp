#include "apps/search_config.hpp"

#include "edgeloop/core/error.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::apps::search_config_test {
namespace {

std::string outcome(std::vector<const char*> words) {
    words.insert(words.begin(), "edgeloop-search");
    SearchConfig config;
    try {
        (void)parse_search_config(static_cast<int>(words.size()), words.data(), config);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return config.text;
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
    EXPECT_THAT(with({"--plan"}), ::testing::HasSubstr("exclude each other"));
    const std::vector<std::pair<const char*, const char*>> refused{
        {"--population", "1"},
        {"--evaluations", "-1"},
        {"--ranks-per-candidate", "0"},
        {"--crossover-probability", "1.5"},
        {"--reduction", "1"},
        {"--model-children", "0"},
        {"--log-level", "loud"},
        {"--plan-devices", "0"},
        {"--time-limit", "-1"},
        {"--engine", "magic"},
        {"--device", "tpu"},
        {"--kernels", "other"},
        {"--stop-signal", "KILL"},
        {"--measure-runtime", "magic"},
        {"--measure-seconds", "0"},
        {"--rungs", "0"},
        {"--reference", "x"},
        {"--measure-threads", "1025"}};
    for (const auto& [name, value] : refused)
        EXPECT_THAT(with({name, value}), ::testing::HasSubstr(fmt::format(
                                             "option '{}' got '{}' (it takes ", name, value)));
}

TEST(SearchConfig, TheNumberOfRepeatsMakesSense) {
    const auto with = [](std::vector<const char*> words) {
        words.insert(words.begin(), {"--run-dir", "r", "--data", "d"});
        return outcome(words);
    };
    EXPECT_THAT(with({}), ::testing::HasSubstr("\nconfirm = 3\n"));
    EXPECT_THAT(with({"--confirm", "1"}), ::testing::HasSubstr("has no standard deviation"));
    EXPECT_THAT(with({"--confirm", "9", "--evaluations", "8"}),
                ::testing::HasSubstr("--confirm 9 is more than --evaluations 8"));
    EXPECT_THAT(with({"--evaluations", "2"}), ::testing::HasSubstr("or --confirm 0"));
    EXPECT_THAT(with({"--evaluations", "2", "--confirm", "0"}),
                ::testing::HasSubstr("\nconfirm = 0\n"));
    EXPECT_THAT(outcome({"--run-dir", "r", "--problem", "zdt1", "--evaluations", "2"}),
                ::testing::HasSubstr("\nevaluations = 2\n"))
        << "problems are not confirmed";
}

TEST(SearchConfig, TheEvaluationsHaveADefaultOnlyWithoutABudget) {
    const auto evaluations = [](const std::vector<std::string>& words) {
        std::vector<const char*> argv{"edgeloop-search", "--problem", "zdt1", "--run-dir", "r"};
        for (const std::string& word : words) argv.push_back(word.c_str());
        SearchConfig config;
        EXPECT_TRUE(parse_search_config(int(argv.size()), argv.data(), config));
        return config.engine.evaluations;
    };
    EXPECT_EQ(evaluations({}), EngineSettings().evaluations);
    EXPECT_EQ(evaluations({"--evaluations", "7"}), 7u);
    EXPECT_EQ(evaluations({"--budget", "60s"}), no_limit);
    EXPECT_EQ(evaluations({"--budget", "60s", "--evaluations", "7"}), 7u);
}

}  // namespace
}  // namespace edgeloop::apps::search_config_test
