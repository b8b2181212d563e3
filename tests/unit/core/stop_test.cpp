#include "edgeloop/core/stop.hpp"

#include <chrono>
#include <csignal>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

namespace edgeloop::stop_test {
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

TEST(StopDeathTest, SigtermTwiceInARowIsOneAndLaterOneThatEnds) {
    const auto ask_again = [] {
        install_stop_handlers();
        std::raise(SIGTERM);
        std::raise(SIGTERM);  // as launchers do
        if (stop_signal() != SIGTERM) std::exit(1);
        std::this_thread::sleep_for(std::chrono::milliseconds(1100));
        std::raise(SIGTERM);
        std::exit(0);
    };
    EXPECT_EXIT(ask_again(), ::testing::ExitedWithCode(75), "ended by a signal");
}

TEST(StopDeathTest, ALimitEndsWhatDoesNotListen) {
    const auto hang = [] {
        install_stop_handlers();
        limit_stopping(0.05);
        std::raise(SIGTERM);
        while (true) ::pause();
    };
    EXPECT_EXIT(hang(), ::testing::ExitedWithCode(75), "ended by a signal");
}

TEST(StopDeathTest, ALimitThatComesAfterTheSignalHoldsToo) {
    const auto hang = [] {
        install_stop_handlers();
        std::raise(SIGTERM);
        limit_stopping(0.05);
        while (true) ::pause();
    };
    EXPECT_EXIT(hang(), ::testing::ExitedWithCode(75), "ended by a signal");
}

TEST(StopDeathTest, ALimitTakenBackAndOtherSignalsDoNot) {
    const auto save_first = [] {
        install_stop_handlers(SIGUSR2);
        limit_stopping(0.05);
        std::raise(SIGUSR2);
        std::raise(SIGINT);
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        std::raise(SIGTERM);
        limit_stopping(0);
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        std::exit(3);
    };
    EXPECT_EXIT(save_first(), ::testing::ExitedWithCode(3), "");
}

}  // namespace
}  // namespace edgeloop::stop_test
