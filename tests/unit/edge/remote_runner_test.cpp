// What is believed of the marks by which the process of a job says what it does.
#include "remote_runner.hpp"

#include "support/timed_work.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace edgeloop::remote_runner_test {
namespace {

/// One letter for each mark, a microsecond apart: b(egun), p(repared), d(one), l(ooked).
std::vector<StampedMark> marks_of(const std::string& letters) {
    std::vector<StampedMark> marks;
    for (const char letter : letters) {
        StampedMark stamped;
        stamped.mark.kind = letter == 'b'   ? Mark::begun
                            : letter == 'p' ? Mark::prepared
                            : letter == 'd' ? Mark::done
                                            : Mark::looked;
        stamped.at_ns = 1000 * static_cast<std::int64_t>(marks.size());
        marks.push_back(stamped);
    }
    return marks;
}

TEST(Stretch, IsBlocksOfRunsWithALookAfterEach) {
    for (const char* good : {"bdl", "bdddl", "bddldlddl"}) {
        EXPECT_TRUE(is_stretch(marks_of(good), false)) << good;
        EXPECT_FALSE(is_stretch(marks_of(good), true)) << good;
    }
    for (const char* good : {"bpdl", "bpdpdlpdl"}) {
        EXPECT_TRUE(is_stretch(marks_of(good), true)) << good;
        EXPECT_FALSE(is_stretch(marks_of(good), false)) << good;
    }
    for (const char* bad : {"", "b", "bl", "bd", "dl", "bdbdl", "bdll", "bldl", "bddl b"})
        EXPECT_FALSE(is_stretch(marks_of(bad), false)) << bad;
    for (const char* bad : {"bppdl", "bpl", "bpddl", "bdpl", "bpdlp"})
        EXPECT_FALSE(is_stretch(marks_of(bad), true)) << bad;
}

TEST(Stretch, TimeDoesNotGoBack) {
    std::vector<StampedMark> marks = marks_of("bddl");
    marks[2].at_ns = marks[1].at_ns - 1;
    EXPECT_FALSE(is_stretch(marks, false));
}

TEST(JobChannel, TheKernelSaysWhenAMarkWasSent) {
    JobChannel channel;
    if (!channel.is_stamped()) GTEST_SKIP() << "this kernel does not say when a message was sent";
    const JobSide side(channel.job_control(), channel.job_marks());
    channel.begin_stretch();
    const std::int64_t before = steady_nanoseconds();
    (void)side.mark(Mark::begun);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    (void)side.mark(Mark::done);
    const std::int64_t after = steady_nanoseconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const std::vector<StampedMark> marks = channel.stretch();
    ASSERT_EQ(marks.size(), 2u);
    constexpr std::int64_t slack_ns = 200'000;
    EXPECT_GE(marks[0].at_ns, before - slack_ns);
    EXPECT_LE(marks[1].at_ns, after + slack_ns) << "not when it was read";
    EXPECT_GE(marks[1].at_ns - marks[0].at_ns, 20'000'000 - slack_ns);
    EXPECT_FALSE(channel.clock_was_set());
}

TEST(JobChannel, WhatASenderSaysOfItsTimeCountsForNothing) {
    JobChannel channel;
    if (!channel.is_stamped()) GTEST_SKIP() << "this kernel does not say when a message was sent";
    channel.begin_stretch();
    const std::int64_t before = steady_nanoseconds();
    const Mark forged{Mark::done, 1, before - 1'000'000'000'000, 1e-9};
    ASSERT_GT(::send(channel.job_marks(), &forged, sizeof forged, 0), 0);
    EXPECT_GE(channel.stretch().at(0).at_ns, before - 200'000);
}

TEST(JobChannel, MarksFromBeforeAreRefused) {
    JobChannel channel;
    const JobSide side(channel.job_control(), channel.job_marks());
    (void)side.mark(Mark::done);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    channel.begin_stretch();
    EXPECT_THROW((void)channel.stretch(), ConfigError);
}

TEST(JobChannel, HoldsAsManyMarksAsItSays) {
    JobChannel channel;
    const JobSide side(channel.job_control(), channel.job_marks());
    channel.begin_stretch();
    for (std::size_t i = 0; i < channel.capacity(); ++i) (void)side.mark(Mark::done);
    EXPECT_EQ(channel.stretch().size(), channel.capacity());
}

TEST(JobChannel, AnAnswerIsAnObjectOfBoundedSizeAndDepth) {
    JobChannel channel;
    const auto answer = [&](const std::string& text) {
        EXPECT_GT(::send(channel.job_control(), text.data(), text.size(), 0), 0);
        Json got;
        EXPECT_EQ(channel.receive(got, steady_seconds() + 10), JobChannel::Received::answer);
        return got;
    };
    EXPECT_EQ(answer(R"({"number":1})").at("number"), 1);
    for (const std::string& bad :
         {std::string("[]"), std::string("nonsense"), std::string("{\"a\":1,\"a\":2}"),
          std::string(1000, '['), std::string(70'000, ' ')})
        EXPECT_THROW((void)answer(bad), ConfigError) << bad.substr(0, 20);
    Json none;
    EXPECT_EQ(channel.receive(none, 0), JobChannel::Received::nothing_in_time);
    channel.close_job_end();
    EXPECT_EQ(channel.receive(none, steady_seconds() + 10), JobChannel::Received::gone);
    EXPECT_FALSE(channel.send({{"do", "run"}}));
}

}  // namespace
}  // namespace edgeloop::remote_runner_test
