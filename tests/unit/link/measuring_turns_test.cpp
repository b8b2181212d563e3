// Trainings and measurements that take turns; each side opens the file for itself, as processes do.
#include "edgeloop/link/measuring_turns.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/clock.hpp"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace edgeloop::measuring_turns_test {
namespace {

bool never() { return false; }

class MeasuringTurnsTest : public testing::Test {
  protected:
    test::TemporaryFolder folder;
    std::string path = folder.path("turns");
    MeasuringTurns training{path}, measuring{path};
};

TEST_F(MeasuringTurnsTest, TrainingsShareAndAMeasurementIsAlone) {
    const MeasuringTurns other(path);
    std::optional<TrainingTurn> first(std::in_place, training, never);
    std::optional<TrainingTurn> second(std::in_place, other, never);
    EXPECT_FALSE(MeasuringTurn(measuring, 0, never).alone());
    first.reset();
    EXPECT_FALSE(MeasuringTurn(measuring, 0, never).alone());
    second.reset();
    EXPECT_TRUE(MeasuringTurn(measuring, 0, never).alone());
}

TEST_F(MeasuringTurnsTest, NoStepIsTakenWhileSomethingIsMeasured) {
    std::atomic<bool> measures{false}, done{false};
    std::atomic<int> steps{0}, beside{0};
    std::vector<std::thread> trainings;
    for (int i = 0; i < 2; ++i)
        trainings.emplace_back([&] {
            const MeasuringTurns own(path);
            TrainingTurn turn(own, never);
            while (!done) {
                beside += measures ? 1 : 0;
                ++steps;
                turn.yield(never);
            }
        });
    while (steps == 0) std::this_thread::yield();
    for (int i = 0; i < 20; ++i) {
        const MeasuringTurn turn(measuring, 60, never);
        ASSERT_TRUE(turn.alone());
        measures = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        measures = false;
    }
    done = true;
    for (std::thread& each : trainings) each.join();
    EXPECT_EQ(beside, 0);
}

TEST_F(MeasuringTurnsTest, ATrainingThatIsStoppedDoesNotWaitForAMeasurement) {
    const MeasuringTurn measurement(measuring, 0, never);
    ASSERT_TRUE(measurement.alone());
    int asked = 0;
    TrainingTurn turn(training, [&] { return ++asked > 3; });
    turn.yield([&] { return ++asked > 6; });
    EXPECT_EQ(asked, 7);
}

TEST_F(MeasuringTurnsTest, AProcessThatDiesLeavesNothingLocked) {
    const pid_t child = ::fork();
    if (child == 0) {
        const MeasuringTurns own(path);
        const MeasuringTurn turn(own, 0, never);
        ::_exit(turn.alone() ? 0 : 1);  // without unlocking
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    EXPECT_TRUE(MeasuringTurn(measuring, 0, never).alone());
}

}  // namespace
}  // namespace edgeloop::measuring_turns_test
