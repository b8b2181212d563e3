#pragma once

#include "edgeloop/cli/options.hpp"
#include "edgeloop/link/bridge_client.hpp"
#include "edgeloop/link/measurement.hpp"
#include "edgeloop/link/model_job.hpp"

#include <cstdint>
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
    std::string runtime;       ///< the only one; empty: all that there are
    std::string part;          ///< of simulated hardware: the only one; empty: all
    std::string cache;  ///< folder of its answers; empty: in the user's own cache; "none": none

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

/// How one network is measured: a design, or a model in a file.
struct MeasurementChoice {
    MeasurementSettings settings;
    std::string spec;
    ModelFiles files;           ///< no design: the model and its test vectors
    std::string inputs;         ///< of the model, as typed
    std::string batches = "1";  ///< as typed
    std::uint64_t max_model_mib = max_model_bytes >> 20U;

    void add_to(OptionParser& parser);
    void check();
    /// What is measured, as errors name it.
    [[nodiscard]] const std::string& name() const {
        return files.model.empty() ? spec : files.model;
    }
    /// The job, for devices of a class; a model is read and looked at. Call check() before.
    /// @throws ConfigError  for a design or a file that cannot be read or is none.
    [[nodiscard]] MeasurementJob job(const std::string& device_class);
};

/// Prints what came of a measurement: metrics as a table, with `json` what `as_json` is; then what
/// a model's test vectors and its promise came to, in a line each.
/// @throws ConfigError  the model does not answer as its test vectors say.
void print_result(const MeasurementChoice& choice, const Outcome& outcome, bool json,
                  const Json& as_json);

void add_log_level(OptionParser& parser, std::string& level);
void add_json(OptionParser& parser, bool& json);

}  // namespace edgeloop::cli
