#include "cli/config_file.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/cli/edge_options.hpp"
#include "edgeloop/cli/model_options.hpp"
#include "edgeloop/cli/search_config.hpp"
#include "edgeloop/core/error.hpp"

#include <fstream>
#include <functional>
#include <optional>

#include <gtest/gtest.h>

namespace edgeloop::cli {
namespace {

using Parse = std::function<void(int, const char* const*)>;

template <class Config>
Parse parse_of(bool (*parse)(int, const char* const*, Config&)) {
    return [parse](int argc, const char* const* argv) {
        Config config;
        static_cast<void>(parse(argc, argv, config));
    };
}

struct Program {
    std::string name;
    Parse parse;
};

std::vector<Program> programs() {
    return {
        {"search",
         [](int argc, const char* const* argv) {
             SearchConfig config;
             std::string text;
             // Options begin at argv[1] here, behind a subcommand elsewhere.
             static_cast<void>(
                 parse_search_config(argc - 1, argv + 1, Voice::speaks, config, text));
         }},
        {"edge serve", parse_of(parse_serve)},
        {"edge measure", parse_of(parse_measure)},
        {"edge info", parse_of(parse_info)},
        {"bridge serve", parse_of(parse_bridge_serve)},
        {"bridge status", parse_of(parse_bridge_status)},
        {"bridge submit", parse_of(parse_bridge_submit)},
        {"model describe", parse_of<DescribeOptions>(parse)},
        {"model check", parse_of<CheckOptions>(parse)},
        {"model benchmark", parse_of<BenchmarkOptions>(parse)},
        {"model export", parse_of<ExportOptions>(parse)},
    };
}

// What the program prints with this config file; nothing when it refuses it.
std::optional<std::string> printed(const Program& program, const std::string& config) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("c.ini");
    std::ofstream(file, std::ios::binary) << config;
    const char* words[] = {"program", "subcommand", "--config", file.c_str(), "--print-config"};
    testing::internal::CaptureStdout();
    bool refused = false;
    try {
        program.parse(5, words);
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

TEST(PrintedConfig, OfEveryProgramReadsBackExactlyForEveryOption) {
    const std::vector<std::string> trials{" blanks ",
                                          "#1",
                                          "a #2",
                                          "\"quoted\" \\",
                                          "a;b=c",
                                          "\xC3\xA4\xE2\x82\xAC",
                                          "line\nbreak",
                                          "",
                                          "true",
                                          "1234567",
                                          "0.30000000000000004",
                                          "1e-300"};
    for (const Program& program : programs()) {
        const std::optional<std::string> defaults = printed(program, "");
        ASSERT_TRUE(defaults) << program.name;
        EXPECT_EQ(printed(program, *defaults), defaults) << program.name;
        for (const ConfigLine& option : read_config_lines(*defaults, program.name)) {
            int accepted = 0;
            for (const std::string& trial : trials) {
                const auto text =
                    printed(program, option.name + " = " + config_value(trial) + "\n");
                if (!text) continue;  // an option of another type
                ++accepted;
                EXPECT_EQ(values(*text, option.name), std::vector<std::string>{trial})
                    << program.name << " --" << option.name;
                EXPECT_EQ(printed(program, *text), text) << program.name << " --" << option.name;
            }
            EXPECT_GE(accepted, 1) << program.name << " --" << option.name;
        }
    }
}

}  // namespace
}  // namespace edgeloop::cli
