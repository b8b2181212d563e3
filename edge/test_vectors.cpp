#include "test_vectors.hpp"

#include "half.hpp"
#include "harness.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
    throw ConfigError(fmt::format("'{}' has no test vectors: {}", where, what), {},
                      "edge/README.md says what such a file holds");
}

template <class T>
std::vector<float> converted(std::string_view bytes) {
    std::vector<float> values(bytes.size() / sizeof(T));
    for (std::size_t i = 0; i < values.size(); ++i) {
        T value;
        std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
        values[i] = static_cast<float>(value);
    }
    return values;
}

/// "name", or "name.0", "name.1", …
std::vector<TensorView> named(const SafeTensors& content, const std::string& name) {
    std::vector<TensorView> found;
    if (const auto only = content.tensors.find(name); only != content.tensors.end())
        return {only->second};
    while (true) {
        const auto next = content.tensors.find(fmt::format("{}.{}", name, found.size()));
        if (next == content.tensors.end()) return found;
        found.push_back(next->second);
    }
}

double tolerance_in(const SafeTensors& content, const char* key, double usual,
                    const std::string& where) {
    const auto said = content.metadata.find(key);
    if (said == content.metadata.end()) return usual;
    const auto value = number_in<double>(said->second);
    if (!value || !std::isfinite(*value) || *value < 0)
        refuse(where, fmt::format("'{}' is no tolerance", key));
    return *value;
}

std::optional<LatencyPromise> promise_in(const std::string& text, const std::string& where) {
    if (text.empty()) return std::nullopt;
    const Json json = parse_json(text, where + ", promise");
    if (json.is_null() || json.empty()) return std::nullopt;
    try {
        LatencyPromise promise;
        promise.device_class = json.at("device_class").get<std::string>();
        promise.runtime = json.at("runtime").get<std::string>();
        promise.threads = json.at("threads").get<int>();
        promise.latency_ms = json.at("latency_ms").get<double>();
        if (!std::isfinite(promise.latency_ms) || promise.latency_ms <= 0)
            refuse(where, "it promises a latency that is none");
        return promise;
    } catch (const Json::exception& error) {
        refuse(where, std::string("its promise is malformed: ") + error.what());
    }
}

/// Infinite when only one of them is a number.
double difference(float answer, float expected) {
    if (std::isnan(answer) && std::isnan(expected)) return 0;
    if (answer == expected) return 0;  // also when infinite
    const double apart = std::abs(static_cast<double>(answer) - static_cast<double>(expected));
    return std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart;
}

}  // namespace

std::vector<float> floats_of(const TensorView& tensor) {
    switch (tensor.type) {
        case ElementType::f32:
            return converted<float>(tensor.bytes);
        case ElementType::f16: {
            std::vector<float> values(tensor.bytes.size() / sizeof(std::uint16_t));
            for (std::size_t i = 0; i < values.size(); ++i) {
                std::uint16_t bits = 0;
                std::memcpy(&bits, tensor.bytes.data() + i * sizeof bits, sizeof bits);
                values[i] = from_half(bits);
            }
            return values;
        }
        case ElementType::u8:
            return converted<std::uint8_t>(tensor.bytes);
        case ElementType::i8:
            return converted<std::int8_t>(tensor.bytes);
        case ElementType::i32:
            return converted<std::int32_t>(tensor.bytes);
        case ElementType::i64:
            return converted<std::int64_t>(tensor.bytes);
    }
    throw LogicError("a type of elements without values");
}

TestVectors::TestVectors(std::string bytes, const std::string& where) : bytes_(std::move(bytes)) {
    const SafeTensors content = decode_safetensors(bytes_, where);
    read_tensors(content, where);
    read_metadata(content, where);
}

void TestVectors::read_tensors(const SafeTensors& content, const std::string& where) {
    inputs_ = named(content, "input");
    const std::vector<TensorView> expected = named(content, "expected");
    if (inputs_.empty() || expected.empty()) refuse(where, "no tensors 'input' and 'expected'");
    for (const auto* tensors : {&std::as_const(inputs_), &expected})
        for (const TensorView& tensor : *tensors) {
            const std::int64_t vectors = tensor.shape.empty() ? 0 : tensor.shape.front();
            if (count_ == 0) count_ = static_cast<std::size_t>(vectors);
            if (vectors == 0 || static_cast<std::size_t>(vectors) != count_ || tensor.bytes.empty())
                refuse(where, "its tensors have not one part for each vector");
        }
    // Of several outputs, those of the first vector, then those of the next.
    std::vector<std::vector<float>> parts;
    for (const TensorView& tensor : expected) parts.push_back(floats_of(tensor));
    for (std::size_t i = 0; i < count_; ++i)
        for (const std::vector<float>& part : parts) {
            const auto each = static_cast<std::ptrdiff_t>(part.size() / count_);
            const auto begin = part.begin() + static_cast<std::ptrdiff_t>(i) * each;
            expected_.insert(expected_.end(), begin, begin + each);
        }
}

void TestVectors::read_metadata(const SafeTensors& content, const std::string& where) {
    const auto text = [&](const char* key) {
        const auto said = content.metadata.find(key);
        return said == content.metadata.end() ? std::string() : said->second;
    };
    model_digest_ = text("model_digest");
    tolerance_.absolute = tolerance_in(content, "absolute_tolerance", tolerance_.absolute, where);
    tolerance_.relative = tolerance_in(content, "relative_tolerance", tolerance_.relative, where);
    promise_ = promise_in(text("promise"), where);
}

AnswerComparison compare(const std::vector<float>& answers, const std::vector<float>& expected,
                         std::size_t vectors, const Tolerance& tolerance) {
    EDGELOOP_EXPECT(vectors > 0 && answers.size() == expected.size(), "as many answers");
    AnswerComparison result;
    result.vectors = vectors;
    const std::size_t each = expected.size() / vectors;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double apart = difference(answers[i], expected[i]);
        if (apart > result.largest_difference) {
            result.largest_difference = apart;
            result.worst = i / each;
        }
        const double limit =
            tolerance.absolute + tolerance.relative * std::abs(static_cast<double>(expected[i]));
        if (apart == 0 || (std::isfinite(apart) && apart <= limit)) continue;
        result.holds = false;
        if (!result.first_wrong) result.first_wrong = i / each;
    }
    return result;
}

Json to_json(const AnswerComparison& comparison, const Tolerance& tolerance) {
    Json json = {{"vectors", comparison.vectors},
                 {"holds", comparison.holds},
                 {"worst_vector", comparison.worst},
                 {"absolute_tolerance", tolerance.absolute},
                 {"relative_tolerance", tolerance.relative}};
    if (std::isfinite(comparison.largest_difference))
        json["largest_difference"] = comparison.largest_difference;
    else
        json["largest_difference"] = "not a number";
    if (comparison.first_wrong) json["first_wrong_vector"] = *comparison.first_wrong;
    return json;
}

Json promise_verdict(const LatencyPromise& promise, const std::string& device_class,
                     const MeasurementSettings& settings, const Metrics& metrics) {
    Json verdict = {{"promised_ms", promise.latency_ms}, {"holds", nullptr}};
    const auto not_comparable = [&](const std::string& why) {
        verdict["why"] = "not comparable: " + why;
        return verdict;
    };
    if (promise.device_class != device_class)
        return not_comparable(fmt::format("it was measured on a device of class '{}', this is '{}'",
                                          printable(promise.device_class), device_class));
    if (promise.runtime != settings.runtime)
        return not_comparable(fmt::format("it was measured on the runtime '{}', this is '{}'",
                                          printable(promise.runtime), settings.runtime));
    if (promise.threads != settings.threads)
        return not_comparable(fmt::format("it was measured with {} threads, this with {}",
                                          promise.threads, settings.threads));
    const auto measured = metrics.find(latency_name(1) + "_ms");
    if (measured == metrics.end()) return not_comparable("batch 1 was not measured");
    verdict["measured_ms"] = measured->second;
    const auto valid = metrics.find(latency_name(1) + "_valid");
    if (valid == metrics.end() || valid->second != 1)
        return not_comparable("this measurement is not valid");
    const bool holds = measured->second <= (1 + promise_slack) * promise.latency_ms;
    verdict["holds"] = holds;
    if (!holds)
        verdict["why"] = fmt::format(
            "{:.4g} ms measured, {:.2f} % more than the {:.4g} ms promised; {:g} % is allowed",
            measured->second, 100 * (measured->second / promise.latency_ms - 1), promise.latency_ms,
            100 * promise_slack);
    return verdict;
}

}  // namespace edgeloop
