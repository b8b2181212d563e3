#include "edgeloop/core/child_process.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace edgeloop::child_process_test {
namespace {

ChildOptions shell(const std::string& script, const std::string& output = {}) {
    ChildOptions options;
    options.arguments = {"/bin/sh", "-c", script};
    options.output_file = output;
    return options;
}

TEST(ChildProcess, ReportsExitCodeAndSignal) {
    ChildProcess exits(shell("exit 7"));
    const auto code = exits.wait_for(20);
    ASSERT_TRUE(code);
    EXPECT_EQ(code->code, 7);
    EXPECT_EQ(code->signal, 0);
    ChildProcess dies(shell("kill -9 $$"));
    const auto killed = dies.wait_for(20);
    ASSERT_TRUE(killed);
    EXPECT_EQ(killed->signal, SIGKILL);
}

TEST(ChildProcess, TerminateEndsOneThatIgnoresSigterm) {
    ChildProcess child(shell("trap '' TERM; while :; do sleep 0.05; done"));
    EXPECT_FALSE(child.wait_for(0.2));
    child.terminate(0.2);
    const auto exit = child.poll();
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->signal, SIGKILL);
}

TEST(ChildProcess, DestructorEndsTheChild) {
    pid_t pid = 0;
    {
        const ChildProcess child(shell("sleep 1000"));
        pid = child.pid();
        EXPECT_EQ(::kill(pid, 0), 0);
    }
    EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(ChildProcess, CleansTheEnvironmentAndCapturesOutput) {
    const test::TemporaryFolder folder;
    ::setenv("OMPI_TEST_LEFTOVER", "1", 1);
    ::setenv("EDGELOOP_TEST_KEPT", "1", 1);
    ChildOptions options = shell("env; echo to-stderr >&2", folder.path("out"));
    options.add_environment = {"EDGELOOP_TEST_ADDED=yes"};
    ChildProcess child(options);
    ASSERT_TRUE(child.wait_for(20));
    const std::string output = read_file(folder.path("out"));
    EXPECT_THAT(output, ::testing::Not(::testing::HasSubstr("OMPI_TEST_LEFTOVER")));
    EXPECT_THAT(output, ::testing::HasSubstr("EDGELOOP_TEST_KEPT=1"));
    EXPECT_THAT(output, ::testing::HasSubstr("EDGELOOP_TEST_ADDED=yes"));
    EXPECT_THAT(output, ::testing::HasSubstr("to-stderr"));
}

TEST(ChildProcess, GetsOfTheEnvironmentWhatIsKeptWhenThatIsSaid) {
    const test::TemporaryFolder folder;
    ::setenv("EDGELOOP_TEST_SECRET", "1", 1);
    ::setenv("EDGELOOP_TEST_KEPT", "1", 1);
    ChildOptions options = shell("env", folder.path("out"));
    options.keep_environment = {"PATH=", "EDGELOOP_TEST_KEPT"};
    options.add_environment = {"EDGELOOP_TEST_ADDED=yes"};
    ChildProcess child(options);
    ASSERT_TRUE(child.wait_for(20));
    const std::string output = read_file(folder.path("out"));
    EXPECT_THAT(output, ::testing::Not(::testing::HasSubstr("EDGELOOP_TEST_SECRET")));
    EXPECT_THAT(output, ::testing::HasSubstr("EDGELOOP_TEST_KEPT=1"));
    EXPECT_THAT(output, ::testing::HasSubstr("EDGELOOP_TEST_ADDED=yes"));
}

TEST(ChildProcess, SeesTheDescriptorsItIsGiven) {
    Pipe input = make_pipe(), output = make_pipe();
    ChildOptions options = shell("cat >&5");
    options.descriptors = {{input.read.get(), 0}, {output.write.get(), 5}};
    ChildProcess child(options);
    output.write.close();
    ASSERT_TRUE(write_all(input.write.get(), "text"));
    input.write.close();
    char buffer[8];
    EXPECT_EQ(::read(output.read.get(), buffer, sizeof buffer), 4);
    EXPECT_EQ(::read(output.read.get(), buffer, sizeof buffer), 0) << "it has no copies";
    EXPECT_TRUE(child.wait_for(20));
}

TEST(ChildProcess, TerminateWithoutGraceEndsTheGroupOfALeaderThatIsGone) {
    Pipe output = make_pipe();
    ChildOptions options = shell("sleep 1000 & exit 0");
    options.descriptors = {{output.write.get(), 1}};
    ChildProcess child(options);
    output.write.close();
    ::usleep(100000);  // the leader has ended, and nobody has asked
    child.terminate(0);
    char buffer[8];
    EXPECT_EQ(::read(output.read.get(), buffer, sizeof buffer), 0) << "its child has ended, too";
}

TEST(ChildProcess, MissingProgramIsAnError) {
    ChildOptions options;
    options.arguments = {"/nowhere/program"};
    EXPECT_THROW(ChildProcess{options}, IoError);
    EXPECT_THROW(static_cast<void>(sibling_program("no-such-program")), IoError);
}

}  // namespace
}  // namespace edgeloop::child_process_test
