// Who may read what a search writes, and what a run directory of somebody else can do.
#include "support/programs.hpp"
#include "support/small_search.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace edgeloop::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

unsigned mode_of(const fs::path& path) {
    return static_cast<unsigned>(fs::symlink_status(path).permissions());
}

Words training_search(const std::string& run_dir, bool share) {
    return small_search(run_dir, Words{"--evaluations", "6", "--save-weights"} +
                                     (share ? Words{"--share"} : Words{}));
}

Words analytic_search(const std::string& run_dir, const char* evaluations, bool resume = false) {
    Words words{program("edgeloop-search"),
                "--engine",
                "generational",
                "--problem",
                "zdt1",
                "--population",
                "8",
                "--evaluations",
                evaluations,
                "--run-dir",
                run_dir};
    if (resume) words.emplace_back("--resume");
    return words;
}

TEST(RunAccess, ARunIsItsOwnersUnlessItIsShared) {
    const TemporaryFolder folder;
    for (const bool share : {false, true}) {
        const std::string dir = folder.path(share ? "shared/run" : "own/run");
        const ProgramResult result = run(training_search(dir, share));
        ASSERT_EQ(result.code, 0) << result.output;
        std::size_t weights = 0;
        EXPECT_EQ(mode_of(dir), share ? 0750U : 0700U);
        for (const auto& entry : fs::recursive_directory_iterator(dir)) {
            if (entry.path().filename() == ".lock") continue;
            const unsigned wanted =
                entry.is_directory() ? (share ? 0750U : 0700U) : (share ? 0640U : 0600U);
            EXPECT_EQ(mode_of(entry.path()), wanted) << entry.path();
            weights += entry.path().extension() == ".safetensors" ? 1 : 0;
        }
        EXPECT_GT(weights, 0U);
    }
}

TEST(RunAccess, LinksInARunDirectoryAreNotWrittenThrough) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run"), precious = folder.path("precious");
    ASSERT_EQ(run(analytic_search(dir, "16")).code, 0);
    write_file_atomic(precious, "precious");
    const Words again = analytic_search(dir, "24", true);
    fs::remove(dir + "/status.json");
    fs::create_symlink(precious, dir + "/status.json");
    const ProgramResult resumed = run(again);
    EXPECT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_FALSE(fs::is_symlink(dir + "/status.json"));
    fs::rename(dir + "/checkpoint", folder.path("checkpoint"));
    fs::create_directory_symlink(folder.path("checkpoint"), dir + "/checkpoint");
    const ProgramResult refused = run(again);
    EXPECT_EQ(refused.code, 2) << refused.output;
    EXPECT_THAT(refused.output, HasSubstr("checkpoint' is a link"));
    EXPECT_EQ(read_file(precious), "precious");
}

TEST(RunAccess, AFolderThatEverybodyMayWriteToIsRefused) {
    const TemporaryFolder folder;
    fs::create_directory(folder.path("run"));
    fs::permissions(folder.path("run"), fs::perms(0777));
    const ProgramResult refused = run(analytic_search(folder.path("run"), "16"));
    EXPECT_EQ(refused.code, 2) << refused.output;
    EXPECT_THAT(refused.output, HasSubstr("everybody may write to"));
    EXPECT_TRUE(fs::is_empty(folder.path("run")));
}

TEST(RunAccess, NoProgramWaitsForAPipeThatItIsGivenAsAFile) {
    const TemporaryFolder folder;
    const std::string pipe = folder.path("pipe"), dir = folder.path("run");
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    ASSERT_EQ(::mkfifo(folder.path("catalogue.json").c_str(), 0600), 0);
    const std::string search = program("edgeloop-search"), bridge = program("edgeloop-bridge");
    for (const Words& words :
         {Words{search, "--config", pipe},
          Words{search, "--problem", "table:" + pipe, "--run-dir", dir},
          Words{search, "--data", e2e_data("shards"), "--space", pipe, "--run-dir", dir},
          Words{search, "--data", folder.root(), "--run-dir", dir},
          Words{program("edgeloop-model"), "describe", "--spec", pipe},
          Words{program("edgeloop-model"), "check", "--reference", pipe},
          Words{program("edgeloop-model"), "export", "--spec", "human", "--weights", pipe,
                "--output", folder.path("model.onnx")},
          Words{bridge, "status", "--keys", pipe, "--server-key", pipe},
          Words{bridge, "serve", "--bind", "tcp://127.0.0.1:*", "--store", folder.path("store"),
                "--keys", pipe, "--allow", pipe}}) {
        const ProgramResult result = run(words, 60);
        EXPECT_FALSE(result.timed_out) << words[0] << ' ' << words[1];
        EXPECT_EQ(result.code, 2) << words[0] << ' ' << words[1] << ": " << result.output;
    }
    EXPECT_FALSE(fs::exists(dir));
}

}  // namespace
}  // namespace edgeloop::test
