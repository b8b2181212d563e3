#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/link/measurement.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// By how much an answer may differ: |Δ| <= absolute + relative · |expected|.
struct Tolerance {
    double absolute = 1e-5, relative = 1e-4;  ///< of float32 files
};

/// What somebody said that a model takes, and where that was measured.
struct LatencyPromise {
    std::string device_class, runtime;
    int threads = 1;
    double latency_ms = 0;
};

/// Test inputs of a model and what it should answer: a safetensors file with the tensors "input"
/// and "expected", or "input.0", "input.1", … in the order of the model's own, all with the vectors
/// along the first axis. Its metadata may say "model_digest", "absolute_tolerance",
/// "relative_tolerance" and "promise" (JSON).
class TestVectors {
  public:
    /// @param bytes  of the file; kept. @throws ConfigError  they are none.
    TestVectors(std::string bytes, const std::string& where);
    TestVectors(const TestVectors&) = delete;
    TestVectors& operator=(const TestVectors&) = delete;

    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] const std::vector<TensorView>& inputs() const { return inputs_; }
    /// What is expected of each vector, one after the other.
    [[nodiscard]] const std::vector<float>& expected() const { return expected_; }
    [[nodiscard]] std::size_t values_of_each() const { return expected_.size() / count_; }
    [[nodiscard]] const Tolerance& tolerance() const { return tolerance_; }
    [[nodiscard]] const std::optional<LatencyPromise>& promise() const { return promise_; }
    /// Digest of the model that they are of; empty: they do not say.
    [[nodiscard]] const std::string& model_digest() const { return model_digest_; }

  private:
    void read_tensors(const SafeTensors& content, const std::string& where);
    void read_metadata(const SafeTensors& content, const std::string& where);

    std::string bytes_;
    std::size_t count_ = 0;
    std::vector<TensorView> inputs_;
    std::vector<float> expected_;
    Tolerance tolerance_;
    std::optional<LatencyPromise> promise_;
    std::string model_digest_;
};

/// The values of a tensor as float; whole numbers of more than 24 bits are rounded.
[[nodiscard]] std::vector<float> floats_of(const TensorView& tensor);

/// What came of comparing. Not a number where one is expected, and the other way round, is wrong.
struct AnswerComparison {
    std::size_t vectors = 0;
    bool holds = true;
    double largest_difference = 0;  ///< absolute; infinite: something is no number
    std::size_t worst = 0;          ///< the vector that it is of
    std::optional<std::size_t> first_wrong;
};

/// @param answers, expected  as many values of each vector. REQUIRES: equal sizes, `vectors` > 0.
[[nodiscard]] AnswerComparison compare(const std::vector<float>& answers,
                                       const std::vector<float>& expected, std::size_t vectors,
                                       const Tolerance& tolerance);
[[nodiscard]] Json to_json(const AnswerComparison& comparison, const Tolerance& tolerance);

/// Share by which a latency may exceed what was promised.
constexpr double promise_slack = 0.05;

/// Whether a promise is kept: {"holds": true|false} with both latencies, or {"holds": null} when
/// what was measured cannot be compared with it; "why" unless it holds.
[[nodiscard]] Json promise_verdict(const LatencyPromise& promise, const std::string& device_class,
                                   const MeasurementSettings& settings, const Metrics& metrics);

}  // namespace edgeloop
