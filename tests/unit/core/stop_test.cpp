#include "edgeloop/core/stop.hpp"

#include <csignal>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

TEST(Stop, ASignalBecomesAFlag) {
    install_stop_handlers(SIGUSR2);
    EXPECT_EQ(stop_signal(), 0);
    std::raise(SIGTERM);
    EXPECT_EQ(stop_signal(), SIGTERM);
    clear_stop();
    std::raise(SIGUSR2);
    EXPECT_EQ(stop_signal(), SIGUSR2);
    clear_stop();
    EXPECT_EQ(stop_signal(), 0);
}

TEST(StopDeathTest, TheSecondInterruptEndsTheProcessAtOnce) {
    EXPECT_EXIT(
        {
            install_stop_handlers();
            std::raise(SIGINT);
            std::raise(SIGINT);
            std::exit(0);
        },
        ::testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace edgeloop
