#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

Words operator+(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

TEST(Config, WhatAProgramPrintsReadsBackExactly) {
    const TemporaryFolder folder;
    const std::string odd = folder.path(" a #1 \"b\" \xC3\xA4=c; ");
    const std::vector<Words> commands{
        {program("edgeloop-search"), "--run-dir", odd, "--reuse", odd, "b", "--plan", "--clip-norm",
         "0.30000000000000004"},
        {program("edgeloop-data"), "shard", "--input", odd, "b", "--output", odd, "--force"},
        {program("edgeloop-model"), "export", "--spec", odd, "--output", odd},
        {program("edgeloop-model"), "describe", "--spec", odd, "--json"},
        {program("edgeloop-model"), "check", "--reference", odd, "--kernels", "plain"},
        {program("edgeloop-model"), "benchmark", "--spec", odd, "--device", "cuda", "--train"},
        {program("edgeloop-edge"), "serve", "--connect", odd, "--name", odd},
        {program("edgeloop-edge"), "measure", "--spec", odd, "--batch", "1,2", "--seconds", "0.3"},
        {program("edgeloop-edge"), "info", "--name", odd, "--cores", "0,2-3"},
        {program("edgeloop-bridge"), "status", "--connect", odd, "--json"},
        {program("edgeloop-bridge"), "submit", "--spec", odd, "--wait", "--samples", "7"},
        {program("edgeloop-bridge"), "drop", "--owner", odd, "--job", "1f"},
        {program("edgeloop-bridge"), "serve", "--store", odd, "--insecure"},
    };
    for (const Words& command : commands) {
        const auto printed = run(command + Words{"--print-config"});
        ASSERT_EQ(printed.code, 0) << printed.output;
        EXPECT_THAT(printed.output, HasSubstr(" #1 \\\"b\\\" \xC3\xA4=c; \"\n")) << command[0];
        write_file_atomic(folder.path("c.ini"), printed.output);
        Words again{command[0]};
        if (command[1][0] != '-') again.push_back(command[1]);
        const auto reread = run(again + Words{"--config", folder.path("c.ini"), "--print-config"});
        EXPECT_EQ(reread.code, 0) << reread.output;
        EXPECT_EQ(reread.output, printed.output);
    }
}

TEST(Config, TheCommandLineWinsOverTheFileForListsAndSwitchesToo) {
    const TemporaryFolder folder;
    write_file_atomic(folder.path("c.ini"),
                      "problem = zdt1\nrun-dir = " + folder.path("run") +
                          "\nconstraint = f1<=0.5\nconstraint = f2<=0.9\nresume = true\n"
                          "population = 10\nevaluations = 30\n");
    const Words search{program("edgeloop-search"), "--config", folder.path("c.ini")};
    const auto printed =
        run(search + Words{"--constraint", "f1<=0.7", "--no-resume", "--print-config"});
    ASSERT_EQ(printed.code, 0) << printed.output;
    EXPECT_THAT(printed.output, HasSubstr("\nconstraint = f1<=0.7\n"));
    EXPECT_THAT(printed.output, Not(HasSubstr("f1<=0.5")));
    EXPECT_THAT(printed.output, Not(HasSubstr("f2<=0.9")));
    EXPECT_THAT(printed.output, HasSubstr("\nresume = false\n"));

    // What a run keeps starts the same run again, elsewhere.
    ASSERT_EQ(run(search + Words{"--no-resume", "--constraint", ""}).code, 0);
    const auto again = run({program("edgeloop-search"), "--config", folder.path("run/config.ini"),
                            "--run-dir", folder.path("again")});
    ASSERT_EQ(again.code, 0) << again.output;
    EXPECT_EQ(read_file(folder.path("again/pareto.csv")), read_file(folder.path("run/pareto.csv")));
}

}  // namespace
}  // namespace edgeloop::test
