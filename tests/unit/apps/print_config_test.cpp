#include "apps/search_config.hpp"
#include "cli/setting.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/error.hpp"

#include <fstream>
#include <optional>

#include <gtest/gtest.h>

namespace edgeloop::cli::print_config_test {
namespace {

// What the program prints with this config file; nothing when it refuses it.
std::optional<std::string> printed(const std::string& config) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("c.ini");
    std::ofstream(file, std::ios::binary) << config;
    const char* words[] = {"edgeloop-search", "--config", file.c_str(), "--print-config"};
    apps::SearchConfig parsed;
    testing::internal::CaptureStdout();
    bool refused = false;
    try {
        (void)apps::parse_search_config(4, words, parsed);
    } catch (const ConfigError&) {
        refused = true;
    }
    const std::string text = testing::internal::GetCapturedStdout();
    return refused ? std::nullopt : std::optional<std::string>(text);
}

// The values of an option in a config file's text.
std::vector<std::string> values(const std::string& text, const std::string& name) {
    std::vector<std::string> found;
    for (const ConfigLine& line : read_config_lines(text, "printed"))
        if (line.name == name) found.push_back(line.value);
    return found;
}

TEST(PrintedConfig, ReadsBackExactlyForEveryOption) {
    const std::vector<std::string> trials{
        " blanks ",    "#1",     "a #2",   "\"quoted\" \\", "a;b=c",       "\xC3\xA4\xE2\x82\xAC",
        "line\nbreak", "",       "true",   "1234567",       "3",           "0.30000000000000004",
        "1e-300",      "random", "cpu",    "plain",         "onnx",        "never",
        "USR2",        "debug",  "repeat", "spec",          "synthesised", "placed"};
    const std::optional<std::string> defaults = printed("");
    ASSERT_TRUE(defaults);
    EXPECT_EQ(printed(*defaults), defaults);
    const std::vector<ConfigLine> options = read_config_lines(*defaults, "defaults");
    EXPECT_GT(options.size(), 50u);
    for (const ConfigLine& option : options) {
        int accepted = 0;
        for (const std::string& trial : trials) {
            const auto text = printed(option.name + " = " + config_value(trial) + "\n");
            if (!text) continue;  // an option of another type or range
            ++accepted;
            EXPECT_EQ(values(*text, option.name), std::vector<std::string>{trial}) << option.name;
            EXPECT_EQ(printed(*text), text) << option.name;
        }
        EXPECT_GE(accepted, 1) << option.name;
    }
}

}  // namespace
}  // namespace edgeloop::cli::print_config_test
