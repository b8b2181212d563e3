#pragma once

#include "edgeloop/core/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// What the kernel tells about this machine in /proc and /sys. What a machine does not tell is left
/// out.
class SystemFiles {
  public:
    /// @param root  "" for the real ones; another folder in tests.
    explicit SystemFiles(std::string root = {}) : root_(std::move(root)) {}

    /// What may change between measurements: clocks, governor, temperatures, throttling, load.
    [[nodiscard]] Json conditions() const;
    /// What does not: CPU, memory, kernel, operating system, power mode.
    [[nodiscard]] Json machine() const;
    /// Memory of this process. @param kind  of /proc/self/status, e.g. VmRSS; 0 when it is not
    /// there.
    [[nodiscard]] double memory_mib(const std::string& kind) const;

    /// First line of a file, or nothing.
    [[nodiscard]] std::optional<std::string> line(const std::string& path) const;
    [[nodiscard]] std::optional<double> number(const std::string& path) const;
    /// Entries of a folder whose names start with `prefix`, sorted, as paths for line().
    [[nodiscard]] std::vector<std::string> entries(const std::string& folder,
                                                   const std::string& prefix) const;
    /// Value of "key: value" in a file such as /proc/meminfo.
    [[nodiscard]] std::optional<std::string> field(const std::string& path,
                                                   const std::string& key) const;

  private:
    [[nodiscard]] Json clocks_mhz() const;
    [[nodiscard]] Json temperatures_c() const;

    std::string root_;
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

    /// Joules since some fixed moment, or nothing when the machine does not tell.
    [[nodiscard]] std::optional<double> joules() const;

  private:
    struct Sampler;
    const SystemFiles& files_;
    std::vector<std::string> counters_;
    std::unique_ptr<Sampler> sampler_;
};

/// What this machine can be asked for: {"runtimes", "processors", "metrics"}, lists of names.
/// @param runtime  as describe_runtimes().
[[nodiscard]] Json deliverables(const SystemFiles& files, const Json& runtime);

/// Whether a machine can draw so much: a counter that stands still, runs over or was reset shows
/// something else.
[[nodiscard]] bool is_power(double watts);

/// The device record of this machine for `edgeloop-edge info` and HELLO.
/// @param runtime  as describe_runtimes().
[[nodiscard]] Json device_record(const SystemFiles& files, const std::string& name,
                                 const std::string& device_class, const Json& runtime);

/// Class of devices that can stand in for each other: same model, runtime and power mode.
[[nodiscard]] std::string default_device_class(const SystemFiles& files, const Json& runtime);

}  // namespace edgeloop
