#include "result_json.hpp"

#include "edgeloop/core/error.hpp"

#include <functional>

#include <gtest/gtest.h>

namespace edgeloop::result_json_test {
namespace {

MeasurementResult some_result() {
    MeasurementResult result;
    result.metrics = {{"latency_ms", 1.5}, {"latency_b4_ms", 5}};
    result.record = R"({"before":{}})";
    result.seconds = 2;
    return result;
}

TEST(ResultJson, ReadsWhatItWrites) {
    MeasurementResult result = some_result();
    EXPECT_EQ(result_from_json(result_to_json(result)).metrics, result.metrics);
    result.status = Status::failed;
    result.failure_of = FailureOf::network;
    result.reason = "too wide";
    const MeasurementResult read = result_from_json(result_to_json(result));
    EXPECT_EQ(read.status, Status::failed);
    EXPECT_EQ(read.failure_of, FailureOf::network);
    EXPECT_EQ(read.reason, "too wide");
    EXPECT_EQ(read.record, result.record);
}

TEST(ResultJson, AnythingElseIsRefused) {
    const std::vector<std::function<void(Json&)>> changes{
        [](Json& json) { json = Json::array(); },
        [](Json& json) { json.erase("metrics"); },
        [](Json& json) { json["more"] = 1; },
        [](Json& json) { json["status"] = "excellent"; },
        [](Json& json) { json["status"] = 1; },
        [](Json& json) { json["failure_of"] = "nobody"; },
        [](Json& json) { json["metrics"] = Json::array(); },
        [](Json& json) { json["metrics"]["latency_ms"] = "fast"; },
        [](Json& json) { json["metrics"]["latency_ms"] = nullptr; },
        [](Json& json) { json["metrics"]["Latency\n"] = 1; },
        [](Json& json) { json["metrics"][std::string(65, 'x')] = 1; },
        [](Json& json) {
            for (int i = 0; i < 600; ++i) json["metrics"]["m" + std::to_string(i)] = i;
        },
        [](Json& json) { json["reason"] = std::string(5000, 'x'); },
        [](Json& json) { json["seconds"] = Json::object(); },
        [](Json& json) { json["record"] = "text"; }};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        Json json = result_to_json(some_result());
        changes[i](json);
        EXPECT_THROW((void)result_from_json(json), ConfigError) << i;
    }
}

}  // namespace
}  // namespace edgeloop::result_json_test
