#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

class SystemFiles;

/// What a meter has counted since some fixed moment, or nothing when it cannot be read.
using MeterReading = std::function<std::optional<double>()>;

/// Something that only some machines can count while a network runs, and its metric: Needs::meter
/// in evaluation/metrics.cpp.
struct Meter {
    std::string metric;
    /// Starts counting, until the reading is gone; empty where this machine does not tell. The
    /// files stay until then.
    std::function<MeterReading(const SystemFiles& files)> start;
    double scale = 1;  ///< from what is counted in one run to the metric
    /// Whether it can count so much in a second; what cannot be is left out.
    std::function<bool(double per_second)> is_plausible;
    /// Counts also when nothing runs: the metric is what the network adds. The record gets the
    /// level without and with it by this name, per second; empty: it counts the network alone.
    std::string level = {};
};

/// The meters of this build: a line here and one in evaluation/metrics.cpp make one known.
[[nodiscard]] const std::vector<Meter>& all_meters();

/// Those of them that start on this machine. They count until this is gone.
class RunningMeters {
  public:
    using Readings = std::vector<std::optional<double>>;  ///< one for each that started

    RunningMeters(const SystemFiles& files, const std::vector<Meter>& meters);

    /// Their metrics.
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] Readings read() const;
    /// What those with a level count in a second in which nothing runs; waits for so long where
    /// there is one.
    [[nodiscard]] Readings idle(double seconds) const;
    /// What was read around some runs.
    struct Metered {
        Readings before, after;
        double seconds = 0, runs = 0;
        Readings idle;  ///< idle()
    };
    /// Adds what one run took to the metrics, and levels to the record.
    void add_metrics(const Metered& metered, Metrics& metrics, Json& record) const;

  private:
    struct Running {
        Meter meter;
        MeterReading read;
    };
    std::vector<Running> running_;
};

/// Present power of this machine by its power monitors, or nothing where it has none.
[[nodiscard]] std::optional<double> board_watts(const SystemFiles& files);

/// Energy this machine has used, from a counter (RAPL) where there is one. Boards that only report
/// power (INA3221 on Jetson) are sampled by a thread while the meter exists.
class EnergyMeter {
  public:
    explicit EnergyMeter(const SystemFiles& files);
    ~EnergyMeter();
    EnergyMeter(const EnergyMeter&) = delete;
    EnergyMeter& operator=(const EnergyMeter&) = delete;

    /// Joules since some fixed moment, or nothing when the machine does not tell. Sees that a
    /// counter has begun again when it is asked at least once each time that one runs over (RAPL:
    /// minutes).
    [[nodiscard]] std::optional<double> joules();

  private:
    struct Sampler;
    struct Counter {
        std::string file;
        double last_uj;
        std::optional<double> range_uj;  ///< where it begins again
    };
    const SystemFiles& files_;
    std::vector<Counter> counters_;
    double counted_uj_ = 0;
    std::unique_ptr<Sampler> sampler_;
};

/// Whether a machine can draw so much: a counter that stands still, runs over or was reset shows
/// something else.
[[nodiscard]] bool is_power(double watts);

}  // namespace edgeloop
