// Models in files: what they are given, and how they are judged.
#include "file_runtime.hpp"
#include "half.hpp"
#include "measuring.hpp"
#include "model_bundle.hpp"
#include "support/temporary_folder.hpp"
#include "test_vectors.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <cmath>
#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::model_check_test {
namespace {

using testing::HasSubstr;

std::string bytes_of(const std::vector<float>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

/// Vectors with one input of `side` values and as many expected ones.
std::string vectors_of(const std::vector<float>& inputs, const std::vector<float>& expected,
                       std::int64_t count, const std::map<std::string, std::string>& said = {}) {
    const std::string in = bytes_of(inputs), out = bytes_of(expected);
    const auto each = [count](const std::vector<float>& all) {
        return static_cast<std::int64_t>(all.size()) / count;
    };
    SafeTensors content;
    content.tensors["input"] = {ElementType::f32, {count, each(inputs)}, in};
    content.tensors["expected"] = {ElementType::f32, {count, each(expected)}, out};
    content.metadata = said;
    return encode_safetensors(content);
}

TEST(TestVectorsFile, IsReadWithItsToleranceAndPromise) {
    const TestVectors vectors(
        vectors_of(
            {1, 2, 3, 4}, {5, 6}, 2,
            {{"absolute_tolerance", "0.5"},
             {"model_digest", "abc"},
             {"promise", R"({"device_class":"c","runtime":"onnx","threads":2,"latency_ms":1.5})"}}),
        "v");
    EXPECT_EQ(vectors.count(), 2u);
    EXPECT_EQ(vectors.values_of_each(), 1u);
    EXPECT_EQ(vectors.expected(), (std::vector<float>{5, 6}));
    EXPECT_DOUBLE_EQ(vectors.tolerance().absolute, 0.5);
    EXPECT_DOUBLE_EQ(vectors.tolerance().relative, 1e-4);
    EXPECT_EQ(vectors.model_digest(), "abc");
    ASSERT_TRUE(vectors.promise().has_value());
    EXPECT_EQ(vectors.promise()->threads, 2);
}

TEST(TestVectorsFile, SeveralOutputsAreComparedVectorByVector) {
    const std::string in = bytes_of({1, 2}), first = bytes_of({10, 20}),
                      second = bytes_of({11, 12, 21, 22});
    SafeTensors content;
    content.tensors = {{"input.0", {ElementType::f32, {2, 1}, in}},
                       {"expected.0", {ElementType::f32, {2, 1}, first}},
                       {"expected.1", {ElementType::f32, {2, 2}, second}}};
    const TestVectors vectors(encode_safetensors(content), "v");
    EXPECT_EQ(vectors.expected(), (std::vector<float>{10, 11, 12, 20, 21, 22}));
}

TEST(TestVectorsFile, WhatIsNoneIsRefusedWithAReason) {
    const auto refused = [](const std::string& bytes) {
        try {
            const TestVectors vectors(bytes, "v");
        } catch (const ConfigError& error) {
            return std::string(error.what());
        }
        return std::string("read");
    };
    EXPECT_THAT(refused("no"), HasSubstr("v: the file is too short"));
    EXPECT_THAT(refused(encode_safetensors({})), HasSubstr("no tensors 'input' and 'expected'"));
    for (const char* tolerance : {"-1", "nan", "inf", "x", ""})
        EXPECT_THAT(refused(vectors_of({1}, {1}, 1, {{"relative_tolerance", tolerance}})),
                    HasSubstr("'relative_tolerance' is no tolerance"))
            << tolerance;
    EXPECT_THAT(refused(vectors_of({1}, {1}, 1, {{"promise", R"({"latency_ms":1})"}})),
                HasSubstr("promise is malformed"));
    EXPECT_THAT(refused(vectors_of({1}, {1}, 1, {{"promise", "{"}})), HasSubstr("promise"));
    const std::string two = bytes_of({1, 2}), three = bytes_of({1, 2, 3});
    SafeTensors uneven;
    uneven.tensors = {{"input", {ElementType::f32, {2, 1}, two}},
                      {"expected", {ElementType::f32, {3, 1}, three}}};
    EXPECT_THAT(refused(encode_safetensors(uneven)), HasSubstr("one part for each vector"));
}

TEST(Comparing, FollowsTheRuleAndNamesTheVector) {
    const Tolerance rule;
    // 1e-5 + 1e-4 * 100 = 0.01001
    AnswerComparison seen = compare({100.01F, 0, 0, 0}, {100, 0, 0, 0}, 2, rule);
    EXPECT_TRUE(seen.holds);
    EXPECT_NEAR(seen.largest_difference, 0.01, 1e-5);
    EXPECT_EQ(seen.worst, 0u);
    seen = compare({100, 0, 0, 0.00002F, 5, 0}, {100, 0, 0, 0, 0, 0}, 3, rule);
    EXPECT_FALSE(seen.holds);
    EXPECT_EQ(seen.first_wrong, 1u);
    EXPECT_EQ(seen.worst, 2u);
    EXPECT_DOUBLE_EQ(seen.largest_difference, 5);
}

TEST(Comparing, WhatIsNoNumberIsWrongUnlessItIsExpected) {
    const float nan = std::numeric_limits<float>::quiet_NaN(),
                infinite = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(compare({nan}, {1}, 1, {}).holds);
    EXPECT_FALSE(compare({1}, {nan}, 1, {}).holds);
    EXPECT_FALSE(compare({infinite}, {1e30F}, 1, {}).holds);
    EXPECT_FALSE(compare({-infinite}, {infinite}, 1, {}).holds);
    EXPECT_FALSE(compare({1}, {infinite}, 1, {}).holds);
    EXPECT_TRUE(compare({nan, infinite}, {nan, infinite}, 1, {}).holds);
    EXPECT_EQ(to_json(compare({nan}, {1}, 1, {}), {}).at("largest_difference"), "not a number");
}

TEST(Promises, HoldWithinFivePercentOfTheSameDeviceRuntimeAndThreads) {
    MeasurementSettings settings;
    settings.runtime = "onnx";
    const LatencyPromise promise{"board", "onnx", 1, 2};
    const auto verdict_of = [&](double latency_ms, double valid) {
        return promise_verdict(promise, "board", settings,
                               {{"latency_ms", latency_ms}, {"latency_valid", valid}});
    };
    const auto holds = [&](double latency_ms, double valid = 1) {
        return verdict_of(latency_ms, valid).at("holds");
    };
    EXPECT_EQ(holds(2.1), true);
    EXPECT_EQ(holds(0.5), true);
    EXPECT_EQ(holds(2.11), false);
    EXPECT_EQ(verdict_of(2.11, 1).at("why"),
              "2.11 ms measured, 5.50 % more than the 2 ms promised; 5 % is allowed");
    EXPECT_FALSE(verdict_of(2.1, 1).contains("why"));
    EXPECT_TRUE(holds(2, 0).is_null());
    const auto why = [&](const LatencyPromise& given, const Metrics& metrics) {
        const Json verdict = promise_verdict(given, "board", settings, metrics);
        EXPECT_TRUE(verdict.at("holds").is_null());
        return verdict.at("why").get<std::string>();
    };
    const Metrics valid{{"latency_ms", 2}, {"latency_valid", 1}};
    EXPECT_THAT(why({"other", "onnx", 1, 2}, valid), HasSubstr("class 'other', this is 'board'"));
    EXPECT_THAT(why({"board", "torchscript", 1, 2}, valid), HasSubstr("not comparable"));
    EXPECT_THAT(why({"board", "onnx", 4, 2}, valid), HasSubstr("4 threads"));
    EXPECT_THAT(why(promise, {{"latency_b2_ms", 2}}), HasSubstr("batch 1 was not measured"));
}

TEST(Inputs, AreWhatIsGivenOrWhatTheFileSays) {
    const ModelInput picture{{0, 3, 32, 32}, ElementType::f32}, fixed{{4, 8}, ElementType::u8};
    EXPECT_EQ(inputs_for(2, {}, {picture}).at(0).shape, (std::vector<std::int64_t>{2, 3, 32, 32}));
    EXPECT_EQ(inputs_for(4, {}, {fixed}).at(0).shape, (std::vector<std::int64_t>{4, 8}));
    EXPECT_EQ(inputs_for(2, {{{9, 5}, ElementType::i64}}, {}).at(0).shape,
              (std::vector<std::int64_t>{2, 5}));
    const auto refused = [](int batch, const std::vector<ModelInput>& given,
                            const std::vector<ModelInput>& declared) {
        try {
            (void)inputs_for(batch, given, declared);
        } catch (const ConfigError& error) {
            return std::string(error.what());
        }
        return std::string("taken");
    };
    EXPECT_THAT(refused(1, {}, {fixed}), HasSubstr("--batch 4"));
    EXPECT_THAT(refused(1, {}, {}), HasSubstr("--input"));
    EXPECT_THAT(refused(1, {}, {{{0, 3, 0, 32}, ElementType::f32}}), HasSubstr("--input"));
    EXPECT_THAT(refused(1, {{{1, 3, 32, 31}, ElementType::f32}}, {picture}), HasSubstr("31"));
    EXPECT_THAT(refused(1, {{{1, 3, 32, 32}, ElementType::u8}}, {picture}), HasSubstr("uint8"));
    EXPECT_THAT(refused(1, {picture, picture}, {picture}), HasSubstr("takes 1 inputs"));
    EXPECT_EQ(inputs_for(1, {}, {picture, {{}, ElementType::f32}}).at(1).shape.size(), 0u);
}

TEST(Inputs, AreMadeUpInASensibleRange) {
    for (const ElementType type : {ElementType::f32, ElementType::f16, ElementType::u8,
                                   ElementType::i8, ElementType::i32, ElementType::i64}) {
        const FileRuntime::Tensor tensor = made_up({{2, 50}, type}, 0);
        const std::vector<float> values = floats_of({type, tensor.shape, tensor.bytes});
        ASSERT_EQ(values.size(), 100u);
        for (const float value : values) {
            EXPECT_GE(value, 0);
            EXPECT_LE(value, type == ElementType::u8 ? 255 : 1);
        }
        EXPECT_GT(std::set<float>(values.begin(), values.end()).size(), 1u);
    }
    EXPECT_THROW((void)made_up({{1 << 20, 1 << 20, 1 << 20}, ElementType::f32}, 0), ConfigError);
}

TEST(Half, IsReadAsItsStandardSays) {
    EXPECT_EQ(from_half(0x3c00), 1.0F);
    EXPECT_EQ(from_half(0xc000), -2.0F);
    EXPECT_EQ(from_half(0x3555), 0.333251953125F);
    EXPECT_EQ(from_half(0x0001), std::ldexp(1.0F, -24));
    EXPECT_EQ(from_half(0x7bff), 65504.0F);
    EXPECT_TRUE(std::isinf(from_half(0x7c00)));
    EXPECT_TRUE(std::isnan(from_half(0x7e00)));
}

/// Doubles what it is given, and adds what the file's first byte says.
class Doubler final : public FileRuntime {
  public:
    using FileRuntime::FileRuntime;
    void run() override {
        if (model().front() == '!') throw ConfigError("it cannot be run");
        std::vector<float> values = floats_of({ElementType::f32, shape_, *bytes_});
        for (float& value : values) value = 2 * value + (model().front() == '+' ? 1 : 0);
        made_ = bytes_of(values);
    }
    [[nodiscard]] Metrics facts() const override { return {}; }

  protected:
    [[nodiscard]] std::vector<ModelInput> declared() const override {
        return {{{0, 3}, ElementType::f32}};
    }
    void set_inputs(std::vector<Tensor>& inputs) override {
        bytes_ = &inputs.front().bytes;
        shape_ = inputs.front().shape;
    }
    [[nodiscard]] std::vector<Tensor> outputs() const override {
        return {{ElementType::f32, shape_, made_}};
    }

  private:
    const std::string* bytes_ = nullptr;
    std::vector<std::int64_t> shape_;
    std::string made_;
};

class MeasuredModel : public testing::Test {
  protected:
    MeasurementResult measured(const std::string& model, const std::string& vectors,
                               const std::vector<int>& batches = {1}) {
        ModelJob about;
        about.model = FileName::of(model);
        limits.files.model = folder.path("model");
        write_file_atomic(limits.files.model, model);
        if (!vectors.empty()) {
            about.vectors = FileName::of(vectors);
            limits.files.vectors = folder.path("vectors");
            write_file_atomic(limits.files.vectors, vectors);
        }
        MeasurementSettings settings;
        settings.batches = batches;
        settings.runtime = "onnx";
        settings.time_budget_s = 0.02;
        limits.device_class = "board";
        limits.time_limit_s = 30;
        return measure(
            make_job(about.to_json(), settings, ""),
            [](const Json& spec, const MeasurementSettings& its) {
                return std::make_unique<Doubler>(*ModelJob::of(spec.dump()),
                                                 read_file(its.weights));
            },
            limits);
    }

    test::TemporaryFolder folder;
    MeasuringLimits limits;
};

TEST_F(MeasuredModel, IsTimedAndComparedWithItsVectors) {
    std::vector<float> inputs, expected;
    for (int i = 0; i < 21; ++i) {
        inputs.push_back(static_cast<float>(i));
        expected.push_back(2.0F * static_cast<float>(i));
    }
    // Seven vectors in batches of two and of three: the last is repeated.
    const MeasurementResult result = measured(
        "=",
        vectors_of(
            inputs, expected, 7,
            {{"promise", R"({"device_class":"x","runtime":"onnx","threads":1,"latency_ms":9})"}}),
        {2, 3});
    ASSERT_EQ(result.status, Status::completed) << result.reason;
    EXPECT_GT(result.metrics.at("latency_b2_ms"), 0);
    EXPECT_GT(result.metrics.at("latency_b3_ms"), 0);
    EXPECT_GT(result.metrics.at("model_size_mib"), 0);
    EXPECT_EQ(result.metrics.count("preprocess_ms"), 0u);
    const Json record = parse_json(result.record, "record");
    EXPECT_EQ(record.at("vectors").at("holds"), true);
    EXPECT_EQ(record.at("vectors").at("vectors"), 7);
    EXPECT_TRUE(record.at("promise").at("holds").is_null());
    // It answers otherwise from its fourth vector on.
    expected[10] += 1;
    const Json wrong = parse_json(measured("=", vectors_of(inputs, expected, 7)).record, "record");
    EXPECT_EQ(wrong.at("vectors").at("holds"), false);
    EXPECT_EQ(wrong.at("vectors").at("first_wrong_vector"), 3);
    EXPECT_EQ(wrong.at("vectors").at("largest_difference"), 1);
    EXPECT_FALSE(wrong.contains("promise"));
}

TEST_F(MeasuredModel, WithoutVectorsItIsTimedOnInputsOfItsOwnShape) {
    const MeasurementResult result = measured("=", "");
    ASSERT_EQ(result.status, Status::completed) << result.reason;
    EXPECT_GT(result.metrics.at("latency_ms"), 0);
    EXPECT_FALSE(parse_json(result.record, "record").contains("vectors"));
}

TEST_F(MeasuredModel, FailsWithAReason) {
    EXPECT_THAT(measured("!", "").reason, HasSubstr("cannot be run"));
    EXPECT_THAT(measured("=", vectors_of({1, 2, 3}, {1}, 1)).reason, HasSubstr("answers 3 values"));
    EXPECT_THAT(measured("=", vectors_of({1, 2}, {2, 4}, 1)).reason, HasSubstr("input 0"));
    const MeasurementResult other =
        measured("=", vectors_of({1, 2, 3}, {2, 4, 6}, 1, {{"model_digest", "of another"}}));
    EXPECT_THAT(other.reason, HasSubstr("another model"));
    EXPECT_EQ(other.failure_of, FailureOf::network);
    // What lies there is not what the job is about.
    write_file_atomic(folder.path("other"), "?");
    ModelJob about;
    about.model = FileName::of("=");
    limits.files = {folder.path("other"), ""};
    const MeasurementResult exchanged = measure(
        make_job(about.to_json(), {}, ""),
        [](const Json&, const MeasurementSettings&) -> std::unique_ptr<Runtime> { return nullptr; },
        limits);
    EXPECT_THAT(exchanged.reason, HasSubstr("not the one that the job is about"));
}

TEST(ModelBundle, GivesTheModelAndTheInputsAndNotWhatIsExpected) {
    const std::string file = vectors_of({1, 2, 3}, {77}, 1);
    const TestVectors vectors(file, "v");
    const std::string bundle = encode_bundle("the model", &vectors);
    const ModelBundle read = decode_bundle(bundle);
    EXPECT_EQ(read.model, "the model");
    ASSERT_EQ(read.inputs.size(), 1u);
    EXPECT_EQ(floats_of(read.inputs.front()), (std::vector<float>{1, 2, 3}));
    EXPECT_EQ(bundle.find(bytes_of({77})), std::string::npos);
    EXPECT_THROW((void)decode_bundle("x"), ConfigError);
}

}  // namespace
}  // namespace edgeloop::model_check_test
