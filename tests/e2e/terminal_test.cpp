// What a search says: on a terminal, in a log, to programs, and when it is to be quiet.
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Words = std::vector<std::string>;

Words search(const std::string& run_dir, const Words& more = {}) {
    Words words{program("edgeloop-search"),
                "--problem",
                "zdt1",
                "--run-dir",
                run_dir,
                "--population",
                "10",
                "--evaluations",
                "40"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

// script(1) of util-linux gives it a terminal of its own.
TEST(Terminal, HasOneLineOfProgressThatIsWrittenOver) {
    const TemporaryFolder folder;
    std::string command;
    for (const std::string& word : search(folder.path("run"))) command += word + ' ';
    const auto result = run({"/usr/bin/script", "--quiet", "--return", "--command", command,
                             folder.path("typescript")});
    ASSERT_EQ(result.code, 0) << result.output;
    const std::string said = read_file(folder.path("typescript"));
    const auto end = said.find("Pareto front");
    ASSERT_NE(end, std::string::npos) << said;
    const std::string progress = said.substr(0, end);
    EXPECT_THAT(progress, HasSubstr("\r"));
    EXPECT_THAT(progress, HasSubstr("40/40 designs"));
    const auto first = progress.find("/40 designs"), last = progress.rfind("/40 designs");
    EXPECT_NE(first, last) << "it changes";
    EXPECT_EQ(std::count(progress.begin() + static_cast<long>(first),
                         progress.begin() + static_cast<long>(last), '\n'),
              0)
        << progress;
}

TEST(Terminal, ALogHasPlainLines) {
    const TemporaryFolder folder;
    const auto result = run(search(folder.path("run")));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, Not(HasSubstr("\r")));
    EXPECT_THAT(result.output, HasSubstr("40/40 designs"));
    EXPECT_THAT(result.output, HasSubstr("edgeloop-report " + folder.path("run") + "\n"));
}

TEST(Terminal, QuietSaysNothing) {
    const TemporaryFolder folder;
    const auto result = run(search(folder.path("run"), {"--quiet"}));
    EXPECT_EQ(result.code, 0);
    EXPECT_THAT(result.output, IsEmpty());
    EXPECT_THAT(read_file(folder.path("run/pareto.csv")), HasSubstr("f1,f2"));
}

TEST(Terminal, QuietStillSaysWhatWentWrong) {
    const TemporaryFolder folder;
    const auto result = run(search(folder.path("run"), {"--quiet", "--population", "1"}));
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.output, HasSubstr("population"));
    EXPECT_EQ(lines_of(result.output).size(), 1u) << result.output;
}

TEST(Terminal, JsonIsAnObjectALine) {
    const TemporaryFolder folder;
    const auto result = run(search(folder.path("run"), {"--json", "--log-level", "warning"}));
    ASSERT_EQ(result.code, 0) << result.output;
    std::vector<Json> objects;
    for (const std::string& line : lines_of(result.output)) objects.push_back(Json::parse(line));
    ASSERT_FALSE(objects.empty());
    const Json& last = objects.back();
    Json kept = Json::parse(read_file(folder.path("run/status.json")));
    EXPECT_EQ(last.at("phase"), "finished");
    EXPECT_EQ(last.at("run_dir"), folder.path("run"));
    EXPECT_THAT(last.at("next").at(0).get<std::string>(), HasSubstr("edgeloop-report"));
    for (const char* name : {"done", "front", "hypervolume", "best", "by_status"})
        EXPECT_EQ(last.at(name), kept.at(name)) << name;
    for (std::size_t i = 0; i + 1 < objects.size(); ++i)
        EXPECT_EQ(objects[i].at("phase"), "running");
}

}  // namespace
}  // namespace edgeloop::test
