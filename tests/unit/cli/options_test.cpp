#include "edgeloop/cli/options.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <cmath>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::cli::options_test {
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
    EXPECT_THAT(error_of({"--name", "D", "stray"}), HasSubstr("found 'stray'"));
    EXPECT_THAT(error_of({"--resum"}), HasSubstr("did you mean 'resume'?"));
    EXPECT_THAT(error_of({"--no-resum"}), HasSubstr("did you mean 'no-resume'?"));
    EXPECT_THAT(error_of({"--resume=perhaps"}), HasSubstr("'--resume' got 'perhaps'"));
    EXPECT_THAT(error_of({"--no-count"}), HasSubstr("unknown option"));
    EXPECT_THAT(error_of({"--count", "4", "--count", "5"}), HasSubstr("given twice"));
    EXPECT_THAT(error_of({"--rate", "nan"}), HasSubstr("it takes a number"));
    EXPECT_THAT(error_of({"--rate", "1e999"}), HasSubstr("it takes a number"));
    EXPECT_THAT(error_of({"--count", "2147483648"}), HasSubstr("it takes a whole number"));
    EXPECT_THAT(error_of({"--config", "/nowhere/c.ini"}),
                HasSubstr("'/nowhere/c.ini' does not exist"));
}

TEST(Options, NamesTheStrayWordAndNotTheValueOfAnOption) {
    EXPECT_THAT(error_of({"--name", "D", "stray"}), HasSubstr("found 'stray'"));
    EXPECT_THAT(error_of({"stray", "--name", "D"}), HasSubstr("found 'stray'"));
}

TEST(Options, HintsAreSentencesOfTheirOwn) {
    EXPECT_THAT(error_of({"--coutn", "4"}), HasSubstr("did you mean 'count'? Or see "));
}

TEST(Options, RefusesUnknownConfigKey) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("c.ini");
    write_file_atomic(file, "popluation = 9\n");
    EXPECT_THAT(error_of({"--config", file.c_str()}),
                HasSubstr("c.ini line 1: unknown option 'popluation'"));
    write_file_atomic(file, "this is no ini file\n");
    EXPECT_THAT(error_of({"--config", file.c_str()}), HasSubstr("c.ini"));
}

// What a config file of this text gives, with these words beside it.
Values values_of(const std::string& text, std::vector<const char*> words = {}) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("c.ini");
    write_file_atomic(file, text, Durability::process_crash);
    words.insert(words.end(), {"--config", file.c_str()});
    Values values;
    EXPECT_TRUE(parse(values, words));
    return values;
}

std::string error_of_file(const std::string& text) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("c.ini");
    write_file_atomic(file, text);
    return error_of({"--config", file.c_str()});
}

TEST(Options, AListOnTheCommandLineReplacesThatOfTheConfigFile) {
    const std::string file = "constraint = a<=1\nconstraint = b<=2\n";
    EXPECT_THAT(values_of(file).constraint, ElementsAre("a<=1", "b<=2"));
    EXPECT_THAT(values_of(file, {"--constraint", "c<=3"}).constraint, ElementsAre("c<=3"));
    EXPECT_THAT(values_of(file, {"--constraint", "c<=3", "--constraint", "d<=4"}).constraint,
                ElementsAre("c<=3", "d<=4"));
    EXPECT_THAT(values_of(file, {"--constraint", ""}).constraint, ElementsAre());
    EXPECT_THAT(values_of("constraint =\n").constraint, ElementsAre()) << "and not the default";
}

TEST(Options, ASwitchThatTheConfigFileSetsCanBeTurnedOff) {
    const std::string file = "resume = true\n";
    EXPECT_TRUE(values_of(file).resume);
    EXPECT_FALSE(values_of(file, {"--no-resume"}).resume);
    EXPECT_FALSE(values_of(file, {"--resume=false"}).resume);
    EXPECT_FALSE(values_of(file, {"--resume=no"}).resume);
    EXPECT_TRUE(values_of("resume = off\n", {"--resume=yes"}).resume);
    EXPECT_TRUE(values_of("resume = off\n", {"--no-resume", "--resume"}).resume)
        << "the last one counts";
}

TEST(Options, AnEmptyValueInTheConfigFileIsNotTheDefault) {
    EXPECT_EQ(values_of("name =\n").name, "");
    EXPECT_EQ(values_of("name = \"\"\n").name, "");
}

TEST(Options, CommentsEndWhatTheyFollowAndNothingElse) {
    EXPECT_EQ(values_of("name = runs/#1   # the first\n").name, "runs/#1");
    EXPECT_EQ(values_of("; old\n  # indented\nname = a;b\r\n").name, "a;b");
    EXPECT_EQ(values_of("name = \"a # b\"  # comment\n").name, "a # b");
    EXPECT_EQ(values_of("\xEF\xBB\xBFname = a=b\n").name, "a=b");
}

TEST(Options, MistakesInConfigFilesNameTheLine) {
    EXPECT_THAT(error_of_file("\nno equals sign\n"), HasSubstr("c.ini line 2"));
    EXPECT_THAT(error_of_file("name = \"open\n"), HasSubstr("the quotes are not closed"));
    EXPECT_THAT(error_of_file("name = \"a\" b\n"), HasSubstr("'b' stands after"));
    EXPECT_THAT(error_of_file("name = \"a\\q\"\n"), HasSubstr("a backslash in quotes"));
    EXPECT_THAT(error_of_file("[section]\nname = a\n"), HasSubstr("section"));
    EXPECT_THAT(error_of_file("name = a\nname = b\n"), HasSubstr("line 2: option 'name' is given"));
    EXPECT_THAT(error_of_file("resume = perhaps\n"), HasSubstr("a switch is true or false"));
    EXPECT_THAT(error_of_file("count = four\n"), HasSubstr("'--count' got 'four'"));
}

// Texts of what gives config files trouble: quotes, comments, blanks at the ends, line breaks.
std::string any_text(RandomStream& random) {
    const std::vector<std::string> parts{
        " ",        "\t",           "#", " #", ";", "=", "\"", "\\", "'",   "\n", "\r", "[", "]",
        "\xC3\xA4", "\xE2\x82\xAC", "a", "B",  "1", "-", "--", "\v", "\\n", ","};
    std::string text;
    for (auto length = random.below(6); length > 0; --length)
        text += parts[random.below(parts.size())];
    return text;
}

TEST(Options, WhateverIsWrittenReadsBackExactly) {
    RandomStream random(1, "config files");
    for (int i = 0; i < 2000; ++i) {
        Values written;
        OptionParser parser("program", "does things.");
        bind(parser, written);
        written.name = any_text(random);
        written.empty = any_text(random);
        written.count = static_cast<int>(random.below(1u << 31)) - (1 << 30);
        written.seed = random.next_u64();
        written.rate =
            std::ldexp(random.uniform() - 0.5, static_cast<int>(random.below(2000)) - 1000);
        written.resume = random.below(2) == 0;
        written.constraint.clear();
        for (auto length = random.below(4); length > 0; --length)
            written.constraint.push_back(any_text(random));
        const std::string text = parser.config_text();
        const Values read = values_of(text);
        ASSERT_EQ(read.name, written.name) << text;
        ASSERT_EQ(read.empty, written.empty) << text;
        ASSERT_EQ(read.count, written.count) << text;
        ASSERT_EQ(read.seed, written.seed) << text;
        ASSERT_EQ(read.rate, written.rate) << text;
        ASSERT_EQ(read.resume, written.resume) << text;
        ASSERT_EQ(read.constraint, written.constraint) << text;
    }
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

TEST(Options, ValuesOfSomebodysFileDoNothingToTheTerminal) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("theirs.ini");
    write_file_atomic(file, "name = \"a\x1b]0;owned\x07\\nb\"\n");
    Values values;
    testing::internal::CaptureStdout();
    EXPECT_FALSE(parse(values, {"--config", file.c_str(), "--print-config"}));
    const std::string shown = testing::internal::GetCapturedStdout();
    EXPECT_EQ(shown.find('\x1b'), std::string::npos) << shown;
    EXPECT_THAT(shown, HasSubstr("\nname = \"a\\u{1b}]0;owned\\u{7}\\nb\"\n"));
    EXPECT_EQ(values.name, "a\x1b]0;owned\x07\nb") << "what is meant is as it is written";
}

}  // namespace
}  // namespace edgeloop::cli::options_test
