#pragma once

#include "meters.hpp"

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
    /// Memory of a process. @param kind  of /proc/PID/status, e.g. VmRSS; 0 when it is not there.
    /// @param process  0: this one.
    [[nodiscard]] double memory_mib(const std::string& kind, int process = 0) const;

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

/// What this machine can be asked for: {"runtimes", "processors", "metrics"}, lists of names.
/// @param runtime  as describe_runtimes().
/// @param meters  other ones in tests.
[[nodiscard]] Json deliverables(const SystemFiles& files, const Json& runtime,
                                const std::vector<Meter>& meters = all_meters());

/// The device record of this machine for `edgeloop-edge info` and HELLO.
/// @param runtime  as describe_runtimes().
[[nodiscard]] Json device_record(const SystemFiles& files, const std::string& name,
                                 const std::string& device_class, const Json& runtime);

/// Class of devices that can stand in for each other: same model, runtime and power mode.
[[nodiscard]] std::string default_device_class(const SystemFiles& files, const Json& runtime);

}  // namespace edgeloop
