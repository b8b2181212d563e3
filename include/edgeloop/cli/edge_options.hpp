#pragma once

#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/measurement.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::cli {

/// The device an agent runs on.
struct DeviceConfig {
    std::string name;            ///< default: the host's name
    std::string device_class;    ///< empty: from model, runtime and power mode
    std::vector<int> cores;      ///< measuring processes are pinned to these; empty: all
    std::string weights_folder;  ///< for jobs that name weights; empty: refused
    double memory_limit_mib = 0;
    double time_limit_s = 3600;
    double patience = 3;  ///< times its time budget, when a neighbour disturbs the core
};

/// The way to the other side.
struct LinkConfig {
    std::string connect;
    LinkKeys keys;
    std::string server_key;
    bool insecure = false;
};

struct ServeConfig {
    LinkConfig link;
    DeviceConfig device;
    int reference_every = 10;
    double reference_threshold = 0.1;
    int parent = 0;
    std::string turns_file;  ///< empty: nobody to take turns with
    std::string log_level = "info";
};

struct MeasureConfig {
    std::string spec;
    MeasurementSettings settings;
    DeviceConfig device;
    bool json = false;
};

struct InfoConfig {
    DeviceConfig device;
};

/// Options of the subcommands of edgeloop-edge.
/// @return false when --help, --version or --print-config was served.
/// @throws ConfigError
[[nodiscard]] bool parse_serve(int argc, const char* const* argv, ServeConfig& config);
[[nodiscard]] bool parse_measure(int argc, const char* const* argv, MeasureConfig& config);
[[nodiscard]] bool parse_info(int argc, const char* const* argv, InfoConfig& config);

struct BridgeConfig {
    std::string bind = "tcp://127.0.0.1:5701";
    std::string store = "edgeloop-bridge";  ///< folder of the journal
    LinkKeys keys;
    std::string allow_list;  ///< file or folder, with `keys`
    bool insecure = false;
    std::uint64_t max_results = 200'000;
    std::uint64_t max_queued = 100'000;
    std::string log_level = "info";
};

struct StatusConfig {
    LinkConfig link;
    bool json = false;
};

struct DropConfig {
    LinkConfig link;
    std::uint64_t job = 0;  ///< 0: any
    std::string device_class, owner;
};

struct SubmitConfig {
    LinkConfig link;
    std::string spec;
    std::string device_class;
    MeasurementSettings settings;
    bool wait = false;
    bool json = false;
    double timeout_s = 0;  ///< 0: as long as it takes
};

/// Options of the subcommands of edgeloop-bridge; as above.
[[nodiscard]] bool parse_bridge_serve(int argc, const char* const* argv, BridgeConfig& config);
[[nodiscard]] bool parse_bridge_status(int argc, const char* const* argv, StatusConfig& config);
[[nodiscard]] bool parse_bridge_drop(int argc, const char* const* argv, DropConfig& config);
[[nodiscard]] bool parse_bridge_submit(int argc, const char* const* argv, SubmitConfig& config);
/// @param file  where the key pair goes.
[[nodiscard]] bool parse_bridge_keygen(int argc, const char* const* argv, std::string& file);

}  // namespace edgeloop::cli
