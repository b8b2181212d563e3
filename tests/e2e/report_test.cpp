// edgeloop-report as a program: what it writes where, and how it refuses.
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace edgeloop::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class Report : public testing::Test {
  protected:
    Report() {
        fs::copy(test_data("runs/v0.1/training"), run_dir, fs::copy_options::recursive);
        fs::permissions(run_dir, fs::perms::owner_all);
    }
    [[nodiscard]] static ProgramResult report(std::vector<std::string> words) {
        words.insert(words.begin(), program("edgeloop-report"));
        return run(words, 60);
    }
    [[nodiscard]] static int mode_of(const std::string& path) {
        struct stat about {};
        EXPECT_EQ(::stat(path.c_str(), &about), 0) << path;
        return static_cast<int>(about.st_mode & 0777);
    }

    TemporaryFolder folder;
    std::string run_dir = folder.path("a run");
};

TEST_F(Report, WritesAPageInTheRunForItsOwnerAlone) {
    const ProgramResult result = report({run_dir});
    EXPECT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("report.html: 4 designs, 1 on the front"));
    EXPECT_EQ(mode_of(run_dir + "/report.html"), 0600);
    EXPECT_THAT(read_file(run_dir + "/report.html"), HasSubstr("<title>a run"));
}

TEST_F(Report, WritesWhereItIsTold) {
    const ProgramResult result = report(
        {run_dir, "-o", folder.path("page.html"), "--compare", test_data("runs/v0.1/generational"),
         test_data("runs/v0.1/steady-state"), "--figures", folder.path("figures")});
    EXPECT_EQ(result.code, 0) << result.output;
    EXPECT_TRUE(fs::exists(folder.path("page.html")));
    EXPECT_FALSE(fs::exists(run_dir + "/report.html"));
    for (const char* file : {"front.svg", "front.csv", "progress.svg", "progress.csv"})
        EXPECT_TRUE(fs::exists(folder.path("figures/") + file)) << file;
}

TEST_F(Report, RefusesWithOneLineAndTheDocumentedCode) {
    const auto refused = [&](const std::vector<std::string>& words, int code,
                             const std::string& why) {
        const ProgramResult result = report(words);
        EXPECT_EQ(result.code, code) << result.output;
        EXPECT_THAT(result.output, HasSubstr(why));
        EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1);
    };
    refused({}, 2, "0 run directories are named");
    refused({run_dir, run_dir}, 2, "2 run directories are named");
    refused({folder.root()}, 2, "there is no run in");
    refused({run_dir, "--compare", folder.root()}, 2, "there is no run in");
    refused({run_dir, "--outptu", "x"}, 2, "output");
    refused({run_dir, "-o", folder.path("nowhere/page.html")}, 3, "nowhere");
    refused({run_dir, "-o", folder.root()}, 2, folder.root());
    EXPECT_FALSE(fs::exists(run_dir + "/report.html"));
}

// A run that goes on: the page is written again when the run has changed, and says when to reload
// only as long as somebody writes it.
TEST_F(Report, WatchesUntilTheRunHasEnded) {
    const auto set_phase = [&](const char* phase) {
        Json status = read_json_file(run_dir + "/status.json");
        status["phase"] = phase;
        write_file_atomic(run_dir + "/status.json", status.dump());
    };
    set_phase("running");
    ChildOptions options;
    options.arguments = {program("edgeloop-report"), run_dir, "--watch", "--every", "0.1"};
    options.output_file = folder.path("output");
    ChildProcess child(options);
    ASSERT_TRUE(wait_for_lines(options.output_file, 1));
    EXPECT_FALSE(child.poll().has_value());
    set_phase("finished");
    const auto exit = child.wait_for(60);
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->code, 0);
    EXPECT_TRUE(wait_for_lines(options.output_file, 2, 0.1));
}

TEST_F(Report, StopsWatchingOnASignalWithAPageThatStandsStill) {
    Json status = read_json_file(run_dir + "/status.json");
    status["phase"] = "running";
    write_file_atomic(run_dir + "/status.json", status.dump());
    ChildOptions options;
    options.arguments = {program("edgeloop-report"), run_dir, "--watch"};
    options.output_file = folder.path("output");
    ChildProcess child(options);
    ASSERT_TRUE(wait_for_lines(options.output_file, 1));
    const std::string reloading = read_file(run_dir + "/report.html");
    ASSERT_EQ(::kill(child.pid(), SIGINT), 0);
    const auto exit = child.wait_for(60);
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->code, 0);
    EXPECT_NE(read_file(run_dir + "/report.html"), reloading);
}

}  // namespace
}  // namespace edgeloop::test
