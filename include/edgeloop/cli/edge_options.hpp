#pragma once

#include "edgeloop/cli/options.hpp"
#include "edgeloop/link/bridge_client.hpp"
#include "edgeloop/link/measurement.hpp"

#include <string>
#include <vector>

namespace edgeloop::cli {

// Settings that several subcommands of edgeloop-edge and edgeloop-bridge have. Each group is added
// to a parser, and checked and completed after parse(). @throws ConfigError by the name of the
// option.

/// The device an agent runs on.
struct DeviceSettings {
    std::string name;            ///< default: the host's name
    std::string device_class;    ///< empty: from model, runtime and power mode
    std::string core_list;       ///< as typed
    std::vector<int> cores;      ///< measuring processes are pinned to these; empty: all
    std::string weights_folder;  ///< for jobs that name weights; empty: refused
    double memory_limit_mib = 0;
    double time_limit_s = 3600;
    double patience = 3;  ///< times its time budget, when a neighbour disturbs the core
    std::string sandbox = "best";
    std::string sandbox_user;  ///< of root's agent: what measures as; empty: one of its own

    void add_to(OptionParser& parser);
    void check();
};

/// The way to the other side.
struct LinkSettings {
    BridgeAddress address;
    std::string key_file, server_key_file;  ///< as typed
    bool insecure = false;

    /// @param endpoint  the default; empty: it has to be given.
    explicit LinkSettings(std::string endpoint = {});
    void add_to(OptionParser& parser);
    void check();
};

/// How one network is measured.
struct MeasurementChoice {
    MeasurementSettings settings;
    std::string spec;
    std::string batches = "1";  ///< as typed

    void add_to(OptionParser& parser);
    void check();
};

void add_log_level(OptionParser& parser, std::string& level);
void add_json(OptionParser& parser, bool& json);

}  // namespace edgeloop::cli
