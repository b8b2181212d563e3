#include "link/fit.hpp"

#include "support/hostile_peers.hpp"
#include "support/numbered_design.hpp"

#include "edgeloop/core/json.hpp"
#include "edgeloop/link/messages.hpp"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::fit_test {
namespace {

using ::testing::HasSubstr;

MeasurementResult completed(Metrics metrics) {
    MeasurementResult result;
    result.metrics = std::move(metrics);
    result.seconds = 1;
    return result;
}

/// What a job whose network has a known number of parameters is told.
class Impossible : public testing::Test {
  protected:
    /// The reason; empty: taken.
    [[nodiscard]] std::string refused(MeasurementResult result) const {
        const bool said = refuse_impossible(result, &job, "evil");
        EXPECT_EQ(said, result.status == Status::failed);
        EXPECT_EQ(result.failure_of, FailureOf::device);
        EXPECT_EQ(result.metrics.empty(), said);
        return result.reason;
    }

    const Candidate candidate = test::numbered_candidate(1, 8);
    const double parameters = static_cast<double>(candidate.design->counts().parameters);
    MeasurementSettings settings = [] {
        MeasurementSettings made;
        made.batches = {1, 4};
        return made;
    }();
    MeasurementJob job = make_job(candidate.design->spec().to_json(), settings, "");
};

TEST_F(Impossible, AllThatADeviceMeasuresIsTaken) {
    EXPECT_EQ(refused(completed({{"latency_ms", 1.5},
                                 {"latency_iqr_ms", 0},
                                 {"latency_samples", 40},
                                 {"latency_valid", 1},
                                 {"latency_disturbed", 0.25},
                                 {"latency_b4_ms", 5},
                                 {"latency_b4_p99_ms", 6},
                                 {"latency_b4_valid", 0},
                                 {"energy_mj", 7},
                                 {"peak_memory_mib", 300},
                                 {"reference_drift", -0.02},
                                 {"parameters", parameters}})),
              "");
}

TEST_F(Impossible, WhatOthersDeliverIsRefusedWithDeviceMetricAndValue) {
    EXPECT_EQ(refused(completed({{"latency_ms", 1.5}, {"val_rmse", 0.001}})),
              "the result of device 'evil' is refused: 'val_rmse' (0.001) is not what a device "
              "measures");
    for (const char* name : {"flops", "baseline_rmse", "baseline_ratio", "r2_speed", "made_up",
                             "train_seconds", "temperature_valid", "latency_b#_ms", "", "*_valid"})
        EXPECT_THAT(refused(completed({{"latency_ms", 1.5}, {name, 1}})),
                    HasSubstr("is not what a device measures"))
            << name;
}

TEST_F(Impossible, ANumberOfParametersIsComparedAndNeverBelieved) {
    EXPECT_THAT(refused(completed({{"latency_ms", 1.5}, {"parameters", parameters + 1}})),
                HasSubstr("it measured another one"));
    MeasurementResult unknown = completed({{"parameters", parameters + 1}});
    EXPECT_FALSE(refuse_impossible(unknown, nullptr, "evil")) << "nothing to compare it with";
    job.spec = R"({"family": "of a later release"})";
    EXPECT_EQ(refused(completed({{"latency_ms", 1.5}, {"parameters", parameters}})), "");
}

TEST_F(Impossible, BatchSizesAreThoseThatWereAskedFor) {
    EXPECT_THAT(refused(completed({{"latency_b8_ms", 1}})),
                HasSubstr("'latency_b8_ms' (1) is not what"));
    MeasurementResult result = completed({{"latency_b8_ms", 1}});
    EXPECT_FALSE(refuse_impossible(result, nullptr, "evil"));
    job.settings = R"({"of": "a later release"})";
    EXPECT_EQ(refused(completed({{"latency_b8_ms", 1}})), "");
}

TEST_F(Impossible, ValuesAreInTheirRange) {
    const double infinite = std::numeric_limits<double>::infinity();
    for (const double latency : {-1.0, 0.0, 1e15, infinite, std::nan("")})
        EXPECT_THAT(refused(completed({{"latency_ms", latency}})), HasSubstr("has to be more than"))
            << latency;
    EXPECT_THAT(refused(completed({{"latency_ms", -1.5}})),
                HasSubstr("latency_ms is -1.5, and has to be more than 0"));
    EXPECT_THAT(refused(completed({{"latency_valid", 0.5}})), HasSubstr("has to be 0 or 1"));
    EXPECT_THAT(refused(completed({{"latency_disturbed", 1.01}})), HasSubstr("has to be 0 to 1"));
    EXPECT_THAT(refused(completed({{"latency_samples", 1.5}})), HasSubstr("a whole number"));
    EXPECT_THAT(refused(completed({{"latency_b4_iqr_ms", -1}})), HasSubstr("has to be"));
    MeasurementResult endless = completed({{"latency_ms", 1}});
    for (const double seconds : {-5.0, 1e12, std::nan("")}) {
        endless.seconds = seconds;
        EXPECT_THAT(refused(endless), HasSubstr("it took")) << seconds;
    }
}

TEST_F(Impossible, ANameIsShownShortAndWithoutCommands) {
    const std::string reason =
        refused(completed({{test::hostile_text + std::string(200, 'x'), 1}}));
    EXPECT_EQ(test::command_in(reason), "");
    EXPECT_LT(reason.size(), 500u);
}

TEST_F(Impossible, WhatDidNotCompleteHasNoMetrics) {
    MeasurementResult failed = completed({{"val_rmse", 0}, {"parameters", 1}});
    failed.status = Status::failed;
    failed.reason = "out of memory";
    failed.failure_of = FailureOf::network;
    failed.seconds = -1;
    EXPECT_FALSE(refuse_impossible(failed, &job, "evil"));
    EXPECT_TRUE(failed.metrics.empty());
    EXPECT_EQ(failed.reason, "out of memory");
    EXPECT_EQ(failed.failure_of, FailureOf::network) << "the device may say so";
    EXPECT_EQ(failed.seconds, 0);
}

TEST(Fit, AReasonIsCutBetweenLettersAndCleaned) {
    MeasurementResult result;
    result.status = Status::failed;
    for (std::size_t shift = 0; shift < 3; ++shift) {
        result.reason = std::string(shift, 'x');
        while (result.reason.size() < 2 * wire::max_text_bytes) result.reason += "\u20ac";
        fit_to_limits(result);
        EXPECT_LE(result.reason.size(), wire::max_text_bytes);
        EXPECT_GT(result.reason.size(), wire::max_text_bytes - 3);
        EXPECT_TRUE(is_utf8(result.reason));
    }
    result.reason = "caf\xe9 " + test::hostile_text;
    fit_to_limits(result);
    EXPECT_EQ(test::command_in(result.reason), "");
    EXPECT_EQ(result.reason.rfind("caf\\x{e9} ", 0), 0u) << result.reason;
}

TEST(Fit, ARecordOfADeviceIsKeptWithoutCommandsAndWithinItsBound) {
    const Json record = {{"name", test::hostile_text}, {test::hostile_text, {{"cores", 4}}}};
    const std::string kept = sound_record(record.dump());
    EXPECT_EQ(test::command_in(kept), "");
    EXPECT_EQ(Json::parse(kept).at("name"), printable(test::hostile_text));
    EXPECT_EQ(Json::parse(kept).size(), 2u);
    EXPECT_EQ(sound_record(R"({"a": )"), "{}");
    EXPECT_EQ(sound_record("[1]"), "{}");
    const Json grows = {{"name", std::string(wire::max_document_bytes / 2, '\x7f')}};
    EXPECT_EQ(sound_record(grows.dump()), "{}");
}

}  // namespace
}  // namespace edgeloop::fit_test
