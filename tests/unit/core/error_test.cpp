#include "edgeloop/core/error.hpp"

#include "edgeloop/core/program.hpp"

#include <system_error>
#include <thread>

#include <gtest/gtest.h>

namespace edgeloop::error_test {
namespace {

TEST(Error, KeepsItsPartsAndReadsAsOneLine) {
    const ConfigError error("heads do not divide the width", "stage 2 has width 50 and 12 heads",
                            "choose a divisor");
    EXPECT_STREQ(
        error.what(),
        "heads do not divide the width (stage 2 has width 50 and 12 heads); choose a divisor");
    EXPECT_EQ(error.problem(), "heads do not divide the width");
    EXPECT_EQ(error.suggestion(), "choose a divisor");
    EXPECT_STREQ(IoError("only this").what(), "only this");
}

TEST(Error, ProgramsExitWithTheDocumentedCode) {
    int aborted_with = -1;
    const auto on_error = [&](int code) { aborted_with = code; };
    EXPECT_EQ(run_program([] { return 0; }, on_error), 0);
    EXPECT_EQ(aborted_with, -1);
    EXPECT_EQ(run_program([]() -> int { throw ConfigError("x"); }, on_error), 2);
    EXPECT_EQ(aborted_with, 2);
    EXPECT_EQ(run_program([]() -> int { throw IoError("x"); }), 3);
    EXPECT_EQ(run_program([]() -> int { throw CommError("x"); }), 3);
    EXPECT_EQ(run_program([]() -> int { throw CorruptState("x"); }), 4);
    EXPECT_EQ(run_program([]() -> int { throw LogicError("x"); }), 70);
    EXPECT_EQ(run_program([]() -> int { throw std::runtime_error("x"); }), 70);
    EXPECT_EQ(run_program([]() -> int { throw Stopped("x"); }), 75);
    EXPECT_EQ(run_program([]() -> int {
                  throw std::system_error(std::make_error_code(std::errc::no_space_on_device));
              }),
              3);
}

// An exception that left a thread other than the main one ended the process by SIGABRT.
TEST(ErrorDeathTest, WhatAnyThreadThrowsBecomesOneLineAndTheDocumentedCode) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    const auto end_in_a_thread = [](auto error) {
        (void)run_program([&]() -> int {
            std::thread([&] { throw error; }).join();
            return 0;
        });
    };
    EXPECT_EXIT(end_in_a_thread(ConfigError("a mistake", "why", "mend it")),
                testing::ExitedWithCode(2), "a mistake \\(why\\); mend it");
    EXPECT_EXIT(end_in_a_thread(std::runtime_error("odd")), testing::ExitedWithCode(70),
                "unexpected: odd");
    EXPECT_EXIT(end_in_a_thread(1), testing::ExitedWithCode(70), "of unknown type");
}

TEST(Error, BrokenExpectationNamesConditionAndPlace) {
    try {
        EDGELOOP_EXPECT(1 + 1 == 3, "arithmetic is broken");
        FAIL();
    } catch (const LogicError& error) {
        EXPECT_EQ(error.problem(), "arithmetic is broken");
        EXPECT_NE(error.why().find("1 + 1 == 3"), std::string::npos);
        EXPECT_NE(error.why().find("error_test.cpp"), std::string::npos);
    }
}

}  // namespace
}  // namespace edgeloop::error_test
