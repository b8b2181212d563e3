#include "drift_guard.hpp"

#include "edgeloop/core/json.hpp"

#include <deque>

#include <gtest/gtest.h>

namespace edgeloop::drift_guard_test {
namespace {

/// A device whose reference network takes what a list says; its jobs take ten times as long at the
/// same moment.
class DriftGuardTest : public testing::Test {
  protected:
    DriftGuard guard(DriftOptions options = {}) {
        return DriftGuard(
            options,
            [this](const DriftGuard::Job& job) {
                MeasurementResult result;
                if (job.id == 0) {
                    ++looks;
                    if (looks_ms.size() > 1) looks_ms.pop_front();
                    result.metrics["latency_ms"] = looks_ms.front();
                    if (neighbour) result.metrics["latency_disturbed"] = 1;
                } else {
                    measured.push_back(job.id);
                    result = job_result();
                }
                return result;
            },
            [this](double) {
                ++pauses;
                return pauses < 100;
            });
    }
    [[nodiscard]] MeasurementResult job_result() const {
        MeasurementResult result;
        result.metrics = {{"latency_ms", 10 * looks_ms.front()}, {"latency_valid", 1}};
        result.record = R"({"before":{}})";
        return result;
    }
    void add(DriftGuard& to, std::uint64_t id) {
        EXPECT_FALSE(to.add({id, {}}, job_result())) << "kept until the next look";
    }

    std::deque<double> looks_ms{0, 1};  ///< the front is the device's present state
    std::vector<std::uint64_t> measured;
    int looks = 0, pauses = 0;
    bool neighbour = false;  ///< on the core, whenever the reference is measured
};

TEST_F(DriftGuardTest, AnUnchangedDeviceConfirmsItsResults) {
    DriftGuard watched = guard();
    watched.begin();
    watched.begin();
    EXPECT_EQ(looks, 1);
    for (std::uint64_t id = 1; id <= 9; ++id) add(watched, id);
    EXPECT_FALSE(watched.due(false));
    EXPECT_TRUE(watched.due(true)) << "an idle device settles at once";
    add(watched, 10);
    EXPECT_TRUE(watched.due(false));
    looks_ms = {1, 1.05};
    const auto settled = watched.settle();
    ASSERT_EQ(settled.size(), 10u);
    EXPECT_TRUE(measured.empty());
    for (const auto& [id, result] : settled) {
        EXPECT_NEAR(result.metrics.at("reference_drift"), 0.05, 1e-9);
        EXPECT_EQ(result.metrics.at("latency_valid"), 1);
        const Json reference = Json::parse(result.record).at("reference");
        EXPECT_EQ(reference.at("first_ms"), 1);
        EXPECT_EQ(reference.at("after_ms"), 1.05);
        EXPECT_EQ(reference.at("repeated"), false);
    }
    EXPECT_FALSE(watched.due(true));
}

TEST_F(DriftGuardTest, JobsBeforeAPassingDisturbanceAreMeasuredAgain) {
    DriftGuard watched = guard();
    watched.begin();
    looks_ms = {1.5};
    add(watched, 1);
    add(watched, 2);
    looks_ms = {1.5, 1.5, 1.4, 1.02, 1.01};  // hot, still hot, recovered, after the repetition
    const auto settled = watched.settle();
    EXPECT_EQ(pauses, 2);
    EXPECT_EQ(measured, (std::vector<std::uint64_t>{1, 2}));
    ASSERT_EQ(settled.size(), 2u);
    for (const auto& [id, result] : settled) {
        EXPECT_NEAR(result.metrics.at("latency_ms"), 10.2, 1e-9);
        EXPECT_NEAR(result.metrics.at("reference_drift"), 0.01, 1e-9);
        EXPECT_EQ(result.metrics.at("latency_valid"), 1);
        EXPECT_EQ(Json::parse(result.record).at("reference").at("repeated"), true);
    }
}

TEST_F(DriftGuardTest, ADeviceThatDoesNotRecoverGivesResultsThatAreNotValid) {
    DriftGuard watched = guard();
    watched.begin();
    looks_ms = {0.8};
    add(watched, 1);
    auto settled = watched.settle();
    EXPECT_EQ(pauses, DriftOptions{}.patience);
    EXPECT_TRUE(measured.empty()) << "measuring again would show the same";
    ASSERT_EQ(settled.size(), 1u);
    EXPECT_NEAR(settled[0].result.metrics.at("reference_drift"), -0.2, 1e-9);
    EXPECT_EQ(settled[0].result.metrics.at("latency_valid"), 0);
    // The next time it is not waited for.
    add(watched, 2);
    settled = watched.settle();
    EXPECT_EQ(pauses, DriftOptions{}.patience);
    EXPECT_EQ(settled[0].result.metrics.at("latency_valid"), 0);
}

TEST_F(DriftGuardTest, FailuresAndAgentsWithoutAReferenceKeepNothingBack) {
    DriftGuard watched = guard();
    watched.begin();
    MeasurementResult failed;
    failed.status = Status::failed;
    EXPECT_TRUE(watched.add({1, {}}, failed));
    DriftOptions never;
    never.every = 0;
    DriftGuard unwatched = guard(never);
    unwatched.begin();
    EXPECT_EQ(looks, 1);
    EXPECT_TRUE(unwatched.add({1, {}}, job_result()));
    EXPECT_FALSE(unwatched.due(true));
}

TEST_F(DriftGuardTest, StoppingHandsOverWhatIsThere) {
    DriftGuard watched = guard();
    watched.begin();
    add(watched, 1);
    const auto settled = watched.release();
    ASSERT_EQ(settled.size(), 1u);
    EXPECT_EQ(settled[0].result.metrics.count("reference_drift"), 0u) << "not confirmed";
    pauses = 100;  // a stop while waiting for the device to recover
    looks_ms = {2};
    add(watched, 2);
    EXPECT_EQ(watched.settle().size(), 1u);
}

TEST_F(DriftGuardTest, AReferenceBesideANeighbourIsNoBaseline) {
    looks_ms = {0, 1.6, 1};
    neighbour = true;
    DriftGuard to = guard();
    to.begin();
    EXPECT_TRUE(to.add({1, {}}, job_result())) << "nothing to compare with yet: answered at once";
    neighbour = false;
    to.begin();
    add(to, 2);
    const auto settled = to.settle();
    ASSERT_EQ(settled.size(), 1u);
    EXPECT_EQ(settled[0].result.metrics.at("reference_drift"), 0);
    EXPECT_EQ(settled[0].result.metrics.at("latency_valid"), 1);
}

}  // namespace
}  // namespace edgeloop::drift_guard_test
