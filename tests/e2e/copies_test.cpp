// Ranks that do not see the same data.
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

// Each of three ranks finds "shards" in a folder of its own, as on nodes with local copies.
ProgramResult search_with_copies(const Words& folders, const std::string& run_dir) {
    // Open MPI tells each process its rank; a command line for each rank crashes mpirun 5.0.7.
    const std::string own_folder =
        R"(eval "cd \"\${$((OMPI_COMM_WORLD_RANK + 1))}\""; shift 3; exec "$@")";
    Words words{"/bin/sh", "-c", own_folder, "sh"};
    words.insert(words.end(), folders.begin(), folders.end());
    for (const std::string& word :
         {program("edgeloop-search"), std::string("--data"), std::string("shards"),
          std::string("--engine"), std::string("generational"), std::string("--space"),
          test_data("tiny_space.json"), std::string("--run-dir"), run_dir,
          std::string("--population"), std::string("4"), std::string("--evaluations"),
          std::string("4"), std::string("--edge"), std::string("none"), std::string("--confirm"),
          std::string("0")})
        words.push_back(word);
    return run(mpirun(3, words));
}

TEST(Copies, RanksThatSeeDifferentDataAreRefusedAtTheStart) {
    const TemporaryFolder folder;
    for (const char* node : {"a", "b", "stale"})
        std::filesystem::create_directories(folder.path(node));
    for (const char* node : {"a", "b"})
        std::filesystem::copy(e2e_data("shards"), folder.path(node + std::string("/shards")));
    const ProgramResult remade =
        run({program("edgeloop-data"), "shard", "--input", e2e_data("raise/*.hdf5"), "--output",
             folder.path("stale/shards"), "--shards", "1", "--seed", "77"});
    ASSERT_EQ(remade.code, 0) << remade.output;
    const std::string run_dir = folder.path("run");
    const ProgramResult refused =
        search_with_copies({folder.path("a"), folder.path("b"), folder.path("stale")}, run_dir);
    EXPECT_NE(refused.code, 0);
    EXPECT_THAT(refused.output, HasSubstr("rank 2"));
    EXPECT_THAT(refused.output, HasSubstr("another copy of the dataset"));
    EXPECT_FALSE(std::filesystem::exists(run_dir));
    const ProgramResult good =
        search_with_copies({folder.path("a"), folder.path("b"), folder.path("a")}, run_dir);
    EXPECT_EQ(good.code, 0) << good.output;
}

}  // namespace
}  // namespace edgeloop::test
