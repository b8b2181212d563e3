#pragma once

#include "edgeloop/link/measurement.hpp"
#include "edgeloop/search/engine.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace edgeloop::cli {

/// Every option of edgeloop-search, resolved. Lists and times are as typed; the modules that use
/// them turn them into their own settings.
struct SearchConfig {
    // What to search
    std::string problem;  ///< analytic problem instead of training, e.g. "zdt1"
    std::string space = "quickstart";
    std::string data;                     ///< folder with shards and catalogue
    std::vector<std::string> objectives;  ///< empty: val_rmse and latency_ms, or the problem's
    std::vector<std::string> reference;   ///< numbers, one for each objective; empty: found
    std::vector<std::string> constraints;
    std::vector<std::string> seed_specs;  ///< spec files put into the first population

    // How to search
    std::string engine = "generational";
    std::uint64_t seed = 1;
    int population = 20;
    int evaluations = 100;
    double crossover_probability = 0.9;
    double mutation_probability = -1;
    std::vector<std::string> rungs;  ///< epochs, ascending
    double reduction = LadderSettings{}.reduction;
    bool prune_hopeless = PruningSettings{}.dominated;
    double prune_optimism = PruningSettings{}.optimism;
    int model_children = 1;
    int max_attempts = 3;
    double rung_disk = 20000;  ///< MiB of trainings that wait for a higher rung

    // Training
    int ranks_per_candidate = 1;
    int large_ranks = 0;        ///< ranks of a large candidate; 0: as for all
    int epochs = 0;             ///< 0: as each spec says
    int max_train_samples = 0;  ///< 0: all
    int max_validation_samples = 0;
    bool augment = false;  ///< flips and quarter turns, which change neither speed nor power
    int threads = 1;
    std::string device = "auto";   ///< auto, cpu, cuda
    std::string kernels = "auto";  ///< auto, fused, plain, library
    bool mixed_precision = false;  ///< products in bfloat16
    double clip_norm = 0;          ///< 0: gradients are not clipped
    int patience = 0;              ///< epochs without progress that end training; 0: never
    double candidate_limit = 0;    ///< seconds of training; 0: none
    double silence_limit = 600;    ///< seconds until a silent group is given up; 0: never
    bool coordinator_trains = false;
    bool save_weights = false;

    // The edge
    std::string edge = "local";  ///< local, tcp://…, bind:tcp://…, model, none
    std::string device_class;
    double measure_seconds = 10;
    int measure_threads = 1;
    std::string measure_runtime = "eager", measure_processor = "cpu";  ///< MeasurementSettings'
    int measure_retries = 2;              ///< of a measurement that is not valid
    bool require_valid = false;           ///< what stays not valid is lost
    std::string pause_training = "auto";  ///< while --edge local measures: auto, always, never
    double edge_timeout = 0;              ///< seconds without a device before stopping; 0: wait
    std::string edge_keys, edge_server_key, edge_allow;  ///< files; empty: none
    bool edge_insecure = false;                          ///< a network link without keys is fine

    // The run
    std::string run_dir;
    bool resume = false;
    bool allow_changed = false;        ///< resume under other conditions than before
    std::vector<std::string> reuse;    ///< earlier run directories to take results from
    double time_limit = 0;             ///< seconds; 0: none
    double checkpoint_interval = 10;   ///< seconds
    std::string stop_signal = "USR1";  ///< besides INT and TERM
    std::string log_level = "info";

    // Planning
    bool plan = false;
    int plan_ranks = 0;              ///< 0: as many as were started
    int plan_cores = 0;              ///< 0: this machine's, or enough for --plan-ranks
    int plan_devices = 1;            ///< that measure latency
    double plan_device_seconds = 0;  ///< of one measurement; 0: measured, or as --measure-seconds
    double plan_seconds = 20;        ///< of calibration, for each size of group
    bool json = false;               ///< the plan as JSON
};

/// What the command line asked for.
enum class ParseResult { run, answered };

/// Whether this process prints answers; of an MPI job only rank 0 does.
enum class Voice { speaks, silent };

/// Reads and validates; every value is checked before any expensive work.
///
/// @param config_text  receives the resolved configuration, as --print-config shows it.
/// @return answered when --help, --version or --print-config was served on stdout.
/// @throws ConfigError
[[nodiscard]] ParseResult parse_search_config(int argc, const char* const* argv, Voice voice,
                                              SearchConfig& config, std::string& config_text);

/// What another value of an option changes.
enum class Affects {
    nothing,    ///< no result: how long a run goes on, where it writes, what it says
    search,     ///< which designs are tried: another run
    training,   ///< what is found out by training
    measuring,  ///< what is found out by measuring
};

/// An option of edgeloop-search; `values` are its lines in the config file.
struct SearchOption {
    std::string name;
    Affects affects;
    std::vector<std::string> values;
};

/// Every option there is, with its value in `config`.
[[nodiscard]] std::vector<SearchOption> search_options(const SearchConfig& config);

/// Reads a config.ini that this or an earlier version of the program wrote.
///
/// @param known  receives the options it tells; the others have their defaults.
[[nodiscard]] SearchConfig read_old_config(const std::string& path, std::set<std::string>& known);

/// How devices measure, by the --measure-* options.
/// @throws ConfigError  a value that measurements do not have.
[[nodiscard]] MeasurementSettings measurement_settings(const SearchConfig& config);

}  // namespace edgeloop::cli
