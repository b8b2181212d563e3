#include "edgeloop/link/measurement.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <gtest/gtest.h>

namespace edgeloop::measurement_test {
namespace {

TEST(Measurement, SettingsSurviveJson) {
    MeasurementSettings settings;
    settings.batches = {1, 4};
    settings.time_budget_s = 0.25;
    settings.runtime = "torchscript";
    settings.processor = "cuda";
    settings.weights = "best.safetensors";
    const auto back = MeasurementSettings::from_json(settings.to_json(), "test");
    EXPECT_EQ(back.to_json(), settings.to_json());
}

TEST(Measurement, SettingsOutOfRangeAreRefused) {
    for (const char* text :
         {R"({"batches":[]})", R"({"batches":[0]})", R"({"threads":0})", R"({"threads":"1"})",
          R"({"time_budget_s":0})", R"({"runtime":"magic"})", R"({"thread":1})", R"([])",
          R"({"weights":"../secret"})", R"({"weights":".."})", R"({"processor":"tpu"})"})
        EXPECT_THROW((void)MeasurementSettings::from_json(Json::parse(text), "test"), ConfigError)
            << text;
}

TEST(Measurement, SettingsOfJobsStoredEarlierAreUnderstood) {
    const auto read = [](const char* text) {
        return MeasurementSettings::from_json(Json::parse(text), "test");
    };
    const MeasurementSettings old = read(R"({"batches":[1],"iqr_ratio":0.1,"min_samples":64,
        "memory_limit_mib":0,"repeat":0,"runtime":"eager","threads":1,"time_budget_s":2,
        "time_limit_s":300})");
    EXPECT_DOUBLE_EQ(old.spread, 0.1);
    EXPECT_EQ(old.min_samples, 64);
    EXPECT_THROW((void)read(R"({"iqr_ratio":"wide"})"), ConfigError);
    EXPECT_THROW((void)read(R"({"iqr_ratio":0.1,"spread":0.1})"), ConfigError);
}

TEST(Measurement, CountsAreWholeNumbersThatFit) {
    const auto read = [](const char* text) {
        return MeasurementSettings::from_json(Json::parse(text), "settings");
    };
    EXPECT_EQ(read(R"({"repeat": 3.0, "batches": [1, 8]})").repeat, 3);
    for (const char* text :
         {R"({"min_samples": 6.4e29})", R"({"min_samples": 10.5})", R"({"threads": 4294967297})",
          R"({"repeat": "3"})", R"({"batches": 1})", R"({"batches": [1.5]})",
          R"({"batches": [18446744073709551617]})", R"({"repeat": null})"})
        EXPECT_THROW(static_cast<void>(read(text)), ConfigError) << text;
}

TEST(Measurement, IdentityIgnoresTrainingAndSpellingButNothingElse) {
    const MeasurementSettings settings;
    const auto id = [&](const char* spec, const std::string& device_class = "") {
        return request_id(make_job(Json::parse(spec), settings, device_class));
    };
    const std::uint64_t base = id(R"({"family":"cnn3d","training":{"learning_rate":1}})");
    EXPECT_EQ(id(R"({ "training":{"learning_rate":2}, "family":"cnn3d" })"), base);
    EXPECT_NE(id(R"({"family":"swin3d"})"), base);
    EXPECT_NE(id(R"({"family":"cnn3d"})", "pi5"), base);
    MeasurementSettings again = settings;
    again.repeat = 1;
    EXPECT_NE(request_id(make_job(Json{{"family", "cnn3d"}}, again, "")), base);
    EXPECT_THROW((void)make_job(Json::array({1}), settings, ""), ConfigError);
}

TEST(Measurement, EdgeOptionForms) {
    using Mode = EdgeOption::Mode;
    EXPECT_EQ(parse_edge_option("local").mode, Mode::local);
    EXPECT_EQ(parse_edge_option("model").mode, Mode::model);
    EXPECT_EQ(parse_edge_option("none").mode, Mode::none);
    EXPECT_EQ(parse_edge_option("bind:tcp://*:5701").endpoint, "tcp://*:5701");
    EXPECT_EQ(parse_edge_option("bind:tcp://*:5701").mode, Mode::bind);
    EXPECT_EQ(parse_edge_option("tcp://bridge:5701").mode, Mode::connect);
    for (const char* text : {"", "edge", "tcp://bridge", "bind:", "http://x:1"})
        EXPECT_THROW((void)parse_edge_option(text), ConfigError) << text;
}

}  // namespace
}  // namespace edgeloop::measurement_test
