#include "edgeloop/cli/options.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Values {
    std::string name = "first";
    int count = 3;
    std::uint64_t seed = 7;
    double rate = 0.1;
    bool resume = false;
    std::vector<std::string> constraint{"a<=1"};
    std::string empty;
};

void bind(OptionParser& parser, Values& values) {
    parser.add("name", &values.name, "a name");
    parser.add("count", &values.count, "a count");
    parser.add("seed", &values.seed, "a seed");
    parser.add("rate", &values.rate, "a rate");
    parser.add("resume", &values.resume, "a switch");
    parser.add("constraint", &values.constraint, "a list");
    parser.add("empty", &values.empty, "empty by default");
}

bool parse(Values& values, std::vector<const char*> words) {
    OptionParser parser("program", "does things.");
    bind(parser, values);
    words.insert(words.begin(), "program");
    return parser.parse(static_cast<int>(words.size()), words.data());
}

std::string error_of(const std::vector<const char*>& words) {
    Values values;
    try {
        static_cast<void>(parse(values, words));
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(Options, KeepsDefaultsAndTakesValues) {
    Values values;
    EXPECT_TRUE(parse(values, {"--count", "5", "--seed=18446744073709551615", "--resume",
                               "--constraint", "x<=2", "y>=1"}));
    EXPECT_EQ(values.name, "first");
    EXPECT_EQ(values.count, 5);
    EXPECT_EQ(values.seed, 18446744073709551615ull);
    EXPECT_TRUE(values.resume);
    EXPECT_THAT(values.constraint, ElementsAre("x<=2", "y>=1"));
}

TEST(Options, CommandLineWinsOverConfigFile) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("c.ini");
    write_file_atomic(file, "# comment\ncount = 9\nrate = 2.5\nresume = true\n");
    Values values;
    EXPECT_TRUE(parse(values, {"--config", file.c_str(), "--count", "4"}));
    EXPECT_EQ(values.count, 4);
    EXPECT_EQ(values.rate, 2.5);
    EXPECT_TRUE(values.resume);
}

TEST(Options, PrintedConfigReadsBackToTheSameValues) {
    Values changed;
    OptionParser first("program", "does things.");
    bind(first, changed);
    const char* words[] = {
        "program",      "--rate", "1e-7",         "--name", "tcp://127.0.0.1:5701",
        "--constraint", "a<=1",   "--constraint", "b<=2"};
    ASSERT_TRUE(first.parse(9, words));
    const test::TemporaryFolder folder;
    const std::string file = folder.path("c.ini");
    write_file_atomic(file, first.config_text());
    Values read;
    ASSERT_TRUE(parse(read, {"--config", file.c_str()}));
    EXPECT_EQ(read.rate, 1e-7);
    EXPECT_EQ(read.name, "tcp://127.0.0.1:5701");
    EXPECT_EQ(read.seed, 7u);
    EXPECT_FALSE(read.resume);
    EXPECT_THAT(read.constraint, ElementsAre("a<=1", "b<=2"));
}

TEST(Options, RefusesWhatItDoesNotKnowAndNamesTheNearest) {
    EXPECT_THAT(error_of({"--coutn", "4"}),
                HasSubstr("unknown option '--coutn'; did you mean 'count'?"));
    EXPECT_THAT(error_of({"--coun", "4"}), HasSubstr("unknown option")) << "no guessing by prefix";
    EXPECT_THAT(error_of({"--count", "four"}), HasSubstr("four"));
    EXPECT_THAT(error_of({"--seed", "-1"}), HasSubstr("-1"));
    EXPECT_THAT(error_of({"--seed", "99999999999999999999999"}),
                HasSubstr("99999999999999999999999"));
    EXPECT_THAT(error_of({"stray"}), HasSubstr("'stray'"));
    EXPECT_THAT(error_of({"--config", "/nowhere/c.ini"}),
                HasSubstr("'/nowhere/c.ini' does not exist"));
}

TEST(Options, RefusesUnknownConfigKey) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("c.ini");
    write_file_atomic(file, "popluation = 9\n");
    EXPECT_THAT(error_of({"--config", file.c_str()}),
                HasSubstr("c.ini: unknown option 'popluation'"));
    write_file_atomic(file, "this is no ini file\n");
    EXPECT_THAT(error_of({"--config", file.c_str()}), HasSubstr("c.ini"));
}

TEST(Options, SubcommandsAreFoundOrRefused) {
    const std::vector<Subcommand> commands{
        {"synth", "makes data", [](int, const char* const*) { return 5; }}};
    const char* good[] = {"program", "synth"};
    EXPECT_EQ(run_subcommand("program", "does", commands, 2, good), 5);
    const char* bad[] = {"program", "sint"};
    EXPECT_THROW(static_cast<void>(run_subcommand("program", "does", commands, 2, bad)),
                 ConfigError);
    EXPECT_THROW(static_cast<void>(run_subcommand("program", "does", commands, 1, bad)),
                 ConfigError);
}

}  // namespace
}  // namespace edgeloop::cli
