#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/core/range.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// Samples below which a device gives no latency_p99_ms (the floor of MLPerf's LoadGen).
constexpr int p99_samples = 662;

/// Of the runtimes that a device may be asked for: whether each agent has it, whether it runs
/// quantised layers as integers, whether it runs on CUDA only, whether it is a circuit that is
/// simulated.
[[nodiscard]] bool is_everywhere(const std::string& runtime);
[[nodiscard]] bool runs_low_bits(const std::string& runtime);
[[nodiscard]] bool needs_cuda(const std::string& runtime);
[[nodiscard]] bool is_simulated(const std::string& runtime);

/// The runtime of which is_simulated() holds.
constexpr const char* simulated_runtime = "rtl";

/// How one network is measured. Travels with the job, because two measurements are comparable only
/// when these agree; part of the job's identity.
struct MeasurementSettings {
    std::vector<int> batches = {1};  ///< batch sizes, measured one after the other
    int threads = 1;                 ///< compute threads on the device
    double time_budget_s = 10;       ///< per batch size, warm-up included
    int min_samples = 20;            ///< undisturbed runs before the stop rule may end a batch size
    double min_seconds = 0.3;        ///< that they cover: clocks change ten times a second
    /// Stop rule: width of the interval that has the median in 95 of 100 measurements / median.
    double spread = 0.05;
    int frame_height = 128;  ///< of the camera: preprocessing begins with its frames
    int frame_width = 128;
    double time_limit_s = 300;      ///< the measuring process is ended after this
    double memory_limit_mib = 0;    ///< the measuring process gets no more; 0: no limit
    std::string runtime = "eager";  ///< one of range("runtime"), in link/measurement.cpp
    std::string processor = "cpu";  ///< cpu, cuda
    std::string weights;  ///< a file in the device's folder of weights; empty: random weights
    /// Of simulated hardware: the gate array (empty: the device's own), and how its resources and
    /// its clock are found out.
    std::string part;
    std::string resources = "estimated";  ///< estimated, synthesised
    std::string clock = "assumed";        ///< assumed, placed
    int repeat = 0;  ///< raise it to measure again instead of getting the stored answer

    /// Knows `iqr_ratio`, as `spread` was called when it was the runs' own.
    /// @throws ConfigError  unknown key, wrong type, value out of range.
    [[nodiscard]] static MeasurementSettings from_json(const Json& json, const std::string& where);
    [[nodiscard]] Json to_json() const;
    /// Of each value of the field with this key in JSON.
    [[nodiscard]] static Range range(const std::string& key);
};

/// What is asked of a device. Text only: the broker neither parses nor needs to.
struct MeasurementJob {
    std::string spec;          ///< ArchitectureSpec as canonical JSON, without "training"
    std::string settings;      ///< MeasurementSettings as canonical JSON
    std::string device_class;  ///< only devices of this class may take it; empty: any

    friend bool operator==(const MeasurementJob& a, const MeasurementJob& b) {
        return a.spec == b.spec && a.settings == b.settings && a.device_class == b.device_class;
    }
};

/// @throws ConfigError  as from_json().
[[nodiscard]] MeasurementSettings settings_of(const MeasurementJob& job);

/// The same asked for so many times more, instead of getting the stored answer.
/// @throws ConfigError  as settings_of().
[[nodiscard]] MeasurementJob repeated(MeasurementJob job, int times);

/// Batch sizes as they are in names of metrics: those of 2 and more.
[[nodiscard]] std::vector<std::string> batch_members(const MeasurementSettings& settings);

/// What the device of this record (JSON) lacks for such measurements, e.g. "no energy_mj", or
/// nothing. A device that does not say what it delivers lacks nothing.
[[nodiscard]] std::optional<std::string> lacking(const std::string& record,
                                                 const MeasurementSettings& settings,
                                                 const std::vector<std::string>& metrics);

/// Whether only a device that has a meter for it delivers a metric.
[[nodiscard]] bool needs_a_meter(const std::string& metric);
/// What is asked for and only some devices have, e.g. "the processor cuda": they are waited for.
[[nodiscard]] std::optional<std::string> special_among(const MeasurementSettings& settings,
                                                       const std::vector<std::string>& metrics);

/// Whose failure a failed measurement is.
enum class FailureOf : std::uint8_t {
    device,   ///< or the settings': out of memory, a runtime that is not there, a crash
    network,  ///< no device and no setting will ever measure it
};

/// What came of it: completed or failed; anything else: not measured, and somebody else may try.
/// A value that was not measured is absent from `metrics`; edge/README.md lists them. The message
/// says which request it belongs to, and not `id`.
struct MeasurementResult : Outcome {
    FailureOf failure_of = FailureOf::device;  ///< when failed
};

/// Whether whoever asks again may be answered with this: a valid measurement, or a failure that is
/// the network's own.
[[nodiscard]] bool is_lasting(const MeasurementResult& result);

/// The job for one network under `settings`. Removes "training" from the spec, which latency does
/// not depend on, so that candidates which differ only there share one measurement.
/// @param spec  an ArchitectureSpec; @throws ConfigError when it is no JSON object.
[[nodiscard]] MeasurementJob make_job(Json spec, const MeasurementSettings& settings,
                                      const std::string& device_class);

/// Deterministic identity of a job: the same job asked again is the same request, so it is answered
/// from what is stored and nothing is measured twice by accident. Never 0.
[[nodiscard]] std::uint64_t request_id(const MeasurementJob& job);

}  // namespace edgeloop
