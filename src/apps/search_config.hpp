#pragma once

#include "apps/measuring_classes.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/access.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/link/remote_probe.hpp"
#include "edgeloop/search/coordinator.hpp"
#include "edgeloop/training/trainer.hpp"

#include <csignal>
#include <string>
#include <vector>

namespace edgeloop::apps {

/// A search is led by a model of what was found so far, and one over networks confirms its front;
/// an engine alone is the textbook's and takes results as they are.
[[nodiscard]] inline EngineSettings search_defaults() {
    EngineSettings settings;
    settings.kind = EngineKind::model_based;
    settings.confirm = 3;
    return settings;
}

/// Every setting of edgeloop-search. What a module has a member for is in the module's own
/// settings, with its default; search_settings.cpp says the rest about each.
struct SearchConfig {
    SearchConfig() { training.augment = true; }

    EngineSettings engine = search_defaults();
    TrainingSettings training;
    DispatchOptions dispatch;
    RemoteProbeOptions probe;
    SearchOptions coordination;

    // What to search
    std::string problem;  ///< instead of training: an analytic one, e.g. "zdt1", or "table:FILE"
    std::string space = "quickstart";
    std::vector<std::string> constraints;  ///< as typed
    std::vector<std::string> seed_specs;   ///< spec files put into the first population
    // What the columns of a table are, beside or instead of its description
    std::string table_spec;  ///< file; empty: the one beside the table, if there is one
    std::vector<std::string> genes, measured, counted, fidelities;  ///< as typed
    std::string epoch_seconds;                                      ///< column
    std::uint64_t evaluations = 0;  ///< 0: EngineSettings::evaluations, or no limit with a budget
    std::string budget;             ///< as typed; empty: none
    int epochs = 0;                 ///< 0: as each spec says
    double rung_disk = 20000;       ///< MiB of trainings that wait for a higher rung

    // Simulation
    std::uint64_t simulated_workers = 0;  ///< 0: in real time
    double simulated_sigma = 0;           ///< of the logarithm of a training's seconds

    // Training
    int ranks_per_candidate = 1;
    int large_ranks = 0;  ///< ranks of a large candidate; 0: as for all
    bool coordinator_trains = false;
    bool save_weights = false;
    bool normalise_by_data = true;  ///< clips by their statistics, not by each spec's constants
    double max_left_out = 0.25;     ///< share of scan lines that may be too short for a window

    // The edge
    std::string edge = "local";               ///< local, tcp://…, bind:tcp://…, model, none
    std::vector<std::string> device_classes;  ///< as typed: NAME or NAME:SETTINGS
    MeasuringClasses classes = {{"", {}}};    ///< what they come to with the goals
    int measure_ahead = -1;  ///< designs for each that is trained; -1: as the edge suggests
    std::string pause_training = "auto";     ///< while --edge local measures: auto, always, never
    double edge_timeout = 0;                 ///< seconds without a device before stopping; 0: wait
    std::string edge_keys, edge_server_key;  ///< files; empty: none

    // The run
    std::string run_dir;
    bool share = false;  ///< with the group of its owner
    bool resume = false;
    bool allow_changed = false;      ///< resume under other conditions than before
    std::vector<std::string> reuse;  ///< earlier run directories to take results from
    double time_limit = 0;           ///< seconds; 0: none
    int stop_signal = SIGUSR1;       ///< besides INT and TERM; 0: none
    bool tensorboard = false;        ///< event files beside the run's own
    std::string log_level = "info";
    bool quiet = false;  ///< nothing on stdout, of the messages warnings and errors

    // Planning
    bool plan = false;
    int plan_ranks = 0;              ///< 0: as many as were started
    int plan_cores = 0;              ///< 0: this machine's, or enough for --plan-ranks
    int plan_devices = 1;            ///< that measure latency
    double plan_device_seconds = 0;  ///< of one measurement; 0: measured, or as --measure-seconds
    double plan_seconds = 20;        ///< of calibration, for each size of group
    bool json = false;               ///< plan, progress and result as JSON

    bool begun_unconfirmed = false;  ///< resumed, and begun before results were confirmed
    std::string kept_defaults;       ///< resumed with defaults of when it began: these options
    std::string text;                ///< all of it, as --print-config shows it
};

/// For whom the files of the run are.
[[nodiscard]] inline Access access_of(const SearchConfig& config) {
    return config.share ? Access::group : Access::owner;
}

/// Reads and validates; every value is checked before any expensive work.
///
/// @param speaks  prints answers; of an MPI job only rank 0 does.
/// @return false when --help, --version or --print-config was served on stdout.
/// @throws ConfigError
[[nodiscard]] bool parse_search_config(int argc, const char* const* argv, SearchConfig& config,
                                       bool speaks = true);

/// Adds every setting to a parser that fills `config`.
void add_search_settings(cli::OptionParser& parser, SearchConfig& config);

/// Those of them that say how a network is trained, which programs that train a single one have
/// too; into the group at hand.
void add_trainer_settings(cli::OptionParser& parser, SearchConfig& config);
void add_window_settings(cli::OptionParser& parser, TrainingSettings& settings);

/// The file of `--problem table:FILE`; empty: the problem is no table, or there is none.
[[nodiscard]] std::string table_of(const SearchConfig& config);

/// Every setting there is, with its value in `config`.
[[nodiscard]] std::vector<cli::Setting> search_settings(SearchConfig config);

/// What runs of version 0.1 had by default where it has changed since.
[[nodiscard]] SearchConfig older_defaults();

/// Reads a config.ini that this or an earlier version of the program wrote. Settings
/// that it does not tell have what was their default when they were made.
[[nodiscard]] SearchConfig read_old_config(const std::string& path);

}  // namespace edgeloop::apps
