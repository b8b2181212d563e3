#include "edgeloop/cli/search_config.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/evaluation/constraints.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/messages.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::cli {
namespace {

/// The options of edgeloop-search with what each affects: none is added without saying so.
class OptionTable {
  public:
    explicit OptionTable(OptionParser& parser) : parser_(parser) {}

    void group(const char* title) { parser_.group(title); }

    template <class T>
    void add(const char* name, T* value, Affects affects, const char* help) {
        parser_.add(name, value, help);
        affects_.emplace_back(name, affects);
    }

    [[nodiscard]] std::vector<SearchOption> options() const {
        std::vector<SearchOption> result;
        for (const auto& [name, affects] : affects_)
            result.push_back({name, affects, parser_.values(name)});
        return result;
    }

  private:
    OptionParser& parser_;
    std::vector<std::pair<std::string, Affects>> affects_;
};

void add_options(OptionTable& options, SearchConfig& c) {
    options.group("What to search");
    options.add("space", &c.space, Affects::search,
                "search space: a shipped one by name or a JSON file");
    options.add("data", &c.data, Affects::training,
                "folder with shards, made by edgeloop-data shard");
    options.add(
        "problem", &c.problem, Affects::search,
        "an analytic problem (zdt1, dtlz2, ...) instead of training; for tests and studies");
    options.add("objectives", &c.objectives, Affects::search,
                "metrics to minimise; default: val_rmse latency_ms");
    options.add("reference", &c.reference, Affects::nothing,
                "reference point of the hypervolume: the worst value of each objective that is of "
                "interest; default: beyond the worst of the first population");
    options.add("constraint", &c.constraints, Affects::search,
                "limit such as latency_ms<=0.8; may be repeated");
    options.add("seed-specs", &c.seed_specs, Affects::search,
                "spec files (JSON) to put into the first population");

    options.group("How to search");
    options.add("engine", &c.engine, Affects::search, "generational, steady-state or random");
    options.add("seed", &c.seed, Affects::search, "seed of everything random in this run");
    options.add("population", &c.population, Affects::search, "members of the population");
    options.add("evaluations", &c.evaluations, Affects::nothing, "designs to evaluate in all");
    options.add("crossover-probability", &c.crossover_probability, Affects::search,
                "probability of crossing two parents");
    options.add("mutation-probability", &c.mutation_probability, Affects::search,
                "probability of mutating a gene; negative: 1 / genes");
    options.add("rungs", &c.rungs, Affects::search,
                "training budgets in epochs, ascending; the best of a rung train on to the next");
    options.add("reduction", &c.reduction, Affects::search,
                "one in so many designs climbs to the next rung");
    options.add("rung-disk", &c.rung_disk, Affects::nothing,
                "MiB on disk for trainings that wait for a higher rung; beyond it the oldest are "
                "dropped and trained anew if they climb");
    options.add("prune-hopeless", &c.prune_hopeless, Affects::search,
                "cancel training of a design whose latency shows that it cannot reach the front");
    options.add("prune-optimism", &c.prune_optimism, Affects::search,
                "how much slower than a dominating rival it may be and still train, as a fraction");
    options.add("model-children", &c.model_children, Affects::search,
                "offspring made for each design; a model of the results so far picks the one that "
                "promises most for its FLOPs, and who climbs or is pruned; 30 is a good number; 1: "
                "no model");
    options.add(
        "max-attempts", &c.max_attempts, Affects::nothing,
        "how often a design may be lost with its rank, its device or the whole run before it is "
        "given up");

    options.group("Training");
    options.add("ranks-per-candidate", &c.ranks_per_candidate, Affects::training,
                "MPI ranks that train one design together");
    options.add(
        "large-ranks", &c.large_ranks, Affects::training,
        "MPI ranks that train a large design together: one that takes as long on them as the "
        "space's median design on --ranks-per-candidate; 0: all designs are alike");
    options.add("epochs", &c.epochs, Affects::search, "epochs per design; 0: as its spec says");
    options.add("max-train-samples", &c.max_train_samples, Affects::training,
                "train on so many scan lines; 0: all");
    options.add("max-validation-samples", &c.max_validation_samples, Affects::training,
                "validate on so many scan lines; 0: all");
    options.add("augment", &c.augment, Affects::training,
                "train on flipped and turned clips too: neither changes speed or power");
    options.add("threads", &c.threads, Affects::training, "compute threads per rank");
    options.add("device", &c.device, Affects::training,
                "train on: auto (CUDA when every rank that trains has one, the CPU when none has), "
                "cpu or cuda");
    options.add("kernels", &c.kernels, Affects::training,
                "implementation of the networks' layers: auto (fused on the CPU, library on CUDA), "
                "fused, library or plain; results agree to rounding");
    options.add("mixed-precision", &c.mixed_precision, Affects::training,
                "matrix products in bfloat16, weights in float32; needs a CUDA device, or --device "
                "cpu said in so many words");
    options.add("clip-norm", &c.clip_norm, Affects::training,
                "shorten gradients longer than this; 0: never");
    options.add(
        "patience", &c.patience, Affects::training,
        "end training after so many epochs without 1 % less val_rmse and give the epoch with "
        "the smallest; 0: never, and give the last");
    options.add("candidate-limit", &c.candidate_limit, Affects::nothing,
                "a design that trains for more seconds has timed out; 0: no limit");
    options.add("silence-limit", &c.silence_limit, Affects::nothing,
                "give up a group of ranks that is silent for so many seconds; 0: never");
    options.add("coordinator-trains", &c.coordinator_trains, Affects::nothing,
                "rank 0 trains too, for small allocations; needs --ranks-per-candidate 1");
    options.add("save-weights", &c.save_weights, Affects::nothing,
                "keep the weights of the front's designs in models/<id>/");

    options.group("The edge");
    options.add(
        "edge", &c.edge, Affects::measuring,
        "who measures latency: local (an agent started here), bind:tcp://*:PORT (agents dial in), "
        "tcp://HOST:PORT (a bridge; ipc://PATH works in both forms), model (computed, marked as "
        "modelled) or none");
    options.add("device-class", &c.device_class, Affects::measuring,
                "measure only on devices of this class; empty: any");
    options.add("measure-seconds", &c.measure_seconds, Affects::measuring,
                "time budget of one measurement; a device may add to it (its --patience)");
    options.add("measure-threads", &c.measure_threads, Affects::measuring,
                "compute threads on the device");
    options.add("measure-runtime", &c.measure_runtime, Affects::measuring,
                "what the device runs networks on: eager, torchscript, onnx or tensorrt");
    options.add("measure-processor", &c.measure_processor, Affects::measuring,
                "of the device: cpu or cuda");
    options.add(
        "measure-retries", &c.measure_retries, Affects::measuring,
        "measure a design again so many times, later and if possible on another device, while "
        "its latency is not valid (disturbed, throttled, spread)");
    options.add(
        "require-valid", &c.require_valid, Affects::measuring,
        "a design without a valid measurement is lost instead of ranked as it was measured");
    options.add(
        "pause-training", &c.pause_training, Affects::measuring,
        "with --edge local: trainings of this machine pause while it measures: auto (when they "
        "leave no core), always or never");
    options.add("edge-timeout", &c.edge_timeout, Affects::nothing,
                "stop with a checkpoint after so many seconds without a device; 0: wait");
    options.add("edge-keys", &c.edge_keys, Affects::nothing,
                "our key file (edgeloop-bridge keygen)");
    options.add("edge-server-key", &c.edge_server_key, Affects::nothing,
                "tcp://: public key file of the bridge");
    options.add("edge-allow", &c.edge_allow, Affects::nothing,
                "bind: public keys of agents that may connect (a folder of .pub files, or a list)");
    options.add("edge-insecure", &c.edge_insecure, Affects::nothing,
                "allow a network link without keys");

    options.group("The run");
    options.add("run-dir", &c.run_dir, Affects::nothing, "folder for everything this run writes");
    options.add("resume", &c.resume, Affects::nothing, "go on with the run in --run-dir");
    options.add(
        "allow-changed", &c.allow_changed, Affects::nothing,
        "with --resume: train or measure under other conditions than before (other threads, "
        "data, device class, ...); each result then says under which it was made");
    options.add("reuse", &c.reuse, Affects::nothing,
                "earlier run directories whose results are taken instead of evaluating again");
    options.add("time-limit", &c.time_limit, Affects::nothing,
                "stop with a checkpoint (exit 75) after so many seconds; 0: never");
    options.add("checkpoint-interval", &c.checkpoint_interval, Affects::nothing,
                "seconds between snapshots; the journal is kept at every event");
    options.add("stop-signal", &c.stop_signal, Affects::nothing,
                "stop with a checkpoint on this signal too: USR1, USR2 or none");
    options.add("log-level", &c.log_level, Affects::nothing, "debug, info, warning or error");

    options.group("Planning: how long a run would take");
    options.add("plan", &c.plan, Affects::nothing,
                "predict time, bottleneck and best group size of this run from trainings and "
                "measurements timed now; nothing is searched");
    options.add("plan-ranks", &c.plan_ranks, Affects::nothing,
                "for so many ranks; 0: as many as were started");
    options.add("plan-cores", &c.plan_cores, Affects::nothing,
                "for so many cores in all; 0: this machine's, or enough for --plan-ranks");
    options.add("plan-devices", &c.plan_devices, Affects::nothing,
                "for so many devices that measure");
    options.add(
        "plan-device-seconds", &c.plan_device_seconds, Affects::nothing,
        "one measurement takes so long; 0: timed with --edge local, else --measure-seconds");
    options.add("plan-seconds", &c.plan_seconds, Affects::nothing,
                "time trainings for so long per size of group");
    options.add("json", &c.json, Affects::nothing, "print the plan as JSON");
}

void require(bool holds, const std::string& problem, const std::string& suggestion) {
    if (!holds) throw ConfigError(problem, {}, suggestion);
}

/// What a link needs besides its address. The files are read by the rank that uses them.
void check_edge_keys(const SearchConfig& c) {
    using Mode = EdgeOption::Mode;
    const EdgeOption edge = parse_edge_option(c.edge);
    if (edge.mode != Mode::connect && edge.mode != Mode::bind) return;
    if (c.edge_keys.empty()) {
        require(is_local_endpoint(edge.endpoint) || c.edge_insecure,
                fmt::format("--edge '{}' is a network link without keys", c.edge),
                "give --edge-keys, use an ssh tunnel to 127.0.0.1, or allow it with "
                "--edge-insecure");
        return;
    }
    require(edge.mode != Mode::connect || !c.edge_server_key.empty(),
            "--edge-server-key is missing", "name the .pub file of the bridge");
    require(edge.mode != Mode::bind || !c.edge_allow.empty(), "--edge-allow is missing",
            "name a folder with the .pub files of the agents");
}

void validate(const SearchConfig& c) {
    require(c.plan || !c.run_dir.empty(), "--run-dir is missing", "name a folder for the results");
    require(!c.plan || c.problem.empty(), "--plan and --problem exclude each other",
            "plan a search that trains");
    require(c.plan_ranks >= 0 && c.plan_cores >= 0 && c.plan_devices >= 1 &&
                c.plan_device_seconds >= 0 && c.plan_seconds > 0,
            "--plan-ranks, --plan-cores, --plan-devices, --plan-device-seconds or --plan-seconds "
            "is out of range",
            "use positive numbers, or 0 for the default");
    if (c.problem.empty()) {
        require(!c.data.empty(), "--data is missing",
                "name the folder made by edgeloop-data shard, or use --problem");
    } else {
        require(c.data.empty(), "--data and --problem exclude each other", "drop one of them");
        require(c.seed_specs.empty(), "--seed-specs and --problem exclude each other",
                "drop one of them");
    }
    require(c.population >= 2, fmt::format("--population is {}", c.population), "use at least 2");
    constexpr int most = 1000000;
    require(c.evaluations >= 1, fmt::format("--evaluations is {}", c.evaluations),
            "use at least 1");
    require(c.population <= most && c.plan_ranks <= most && c.plan_devices <= most &&
                c.plan_cores <= most && c.evaluations <= 100 * most,
            "--population, --evaluations or a size of --plan is beyond all machines",
            fmt::format("use at most {0}, and 100 times as many evaluations", most));
    require(c.ranks_per_candidate >= 1,
            fmt::format("--ranks-per-candidate is {}", c.ranks_per_candidate), "use at least 1");
    require(c.large_ranks == 0 || (c.large_ranks > c.ranks_per_candidate &&
                                   c.large_ranks % c.ranks_per_candidate == 0),
            fmt::format("--large-ranks is {}", c.large_ranks),
            "use a multiple of --ranks-per-candidate, or 0");
    require(c.large_ranks == 0 || !c.plan, "--plan and --large-ranks exclude each other",
            "plan with groups of one size");
    require(c.threads >= 1, fmt::format("--threads is {}", c.threads), "use at least 1");
    require(c.device == "auto" || c.device == "cpu" || c.device == "cuda",
            fmt::format("--device '{}' is unknown", c.device), "use auto, cpu or cuda");
    require(c.kernels == "auto" || c.kernels == "fused" || c.kernels == "library" ||
                c.kernels == "plain",
            fmt::format("--kernels '{}' is unknown", c.kernels),
            "use auto, fused, library or plain");
    require(c.device != "cuda" || c.kernels != "fused", "the fused kernels are for CPUs",
            "use --kernels auto, library or plain with --device cuda");
    require(c.clip_norm >= 0 && c.patience >= 0 && c.candidate_limit >= 0 && c.silence_limit >= 0,
            "--clip-norm, --patience, --candidate-limit or --silence-limit is negative",
            "use 0 for never");
    require(!c.coordinator_trains || c.ranks_per_candidate == 1,
            "--coordinator-trains needs --ranks-per-candidate 1", "drop one of them");
    require(c.stop_signal == "USR1" || c.stop_signal == "USR2" || c.stop_signal == "none",
            fmt::format("--stop-signal '{}' is unknown", c.stop_signal), "use USR1, USR2 or none");
    require(c.measure_threads >= 1, fmt::format("--measure-threads is {}", c.measure_threads),
            "use at least 1");
    require(c.epochs >= 0, fmt::format("--epochs is {}", c.epochs),
            "use a positive number, or 0 for each spec's own");
    require(c.epochs == 0 || c.rungs.empty(), "--epochs and --rungs exclude each other",
            "the last of --rungs is the full budget");
    require(c.max_train_samples >= 0 && c.max_validation_samples >= 0,
            "a number of samples is negative", "use 0 for all");
    require(c.max_attempts >= 1, fmt::format("--max-attempts is {}", c.max_attempts),
            "use at least 1");
    require(c.crossover_probability >= 0 && c.crossover_probability <= 1,
            fmt::format("--crossover-probability is {}", c.crossover_probability), "use 0 to 1");
    require(c.mutation_probability <= 1,
            fmt::format("--mutation-probability is {}", c.mutation_probability),
            "use 0 to 1, or a negative number for 1 / genes");
    require(c.reduction > 1, fmt::format("--reduction is {}", c.reduction), "use more than 1");
    require(c.rung_disk >= 0, fmt::format("--rung-disk is {}", c.rung_disk), "use 0 or more");
    require(c.prune_optimism >= 0, fmt::format("--prune-optimism is {}", c.prune_optimism),
            "use 0 or more");
    require(c.model_children >= 1 && c.model_children <= 10000,
            fmt::format("--model-children is {}", c.model_children),
            "use 1 for no model, or up to 10000");
    require(c.measure_seconds > 0, fmt::format("--measure-seconds is {}", c.measure_seconds),
            "use a positive time");
    require(c.measure_seconds <= 3600, fmt::format("--measure-seconds is {}", c.measure_seconds),
            "use at most 3600");
    require(c.measure_threads <= 1024, fmt::format("--measure-threads is {}", c.measure_threads),
            "use at most 1024");
    require(is_runtime(c.measure_runtime),
            fmt::format("--measure-runtime '{}' is unknown", c.measure_runtime),
            "use eager, torchscript, onnx or tensorrt");
    require(c.measure_processor == "cpu" || c.measure_processor == "cuda",
            fmt::format("--measure-processor '{}' is unknown", c.measure_processor),
            "use cpu or cuda");
    require(c.measure_runtime != "tensorrt" || c.measure_processor == "cuda",
            "--measure-runtime tensorrt runs on GPUs only", "add --measure-processor cuda");
    static_cast<void>(measurement_settings(c));
    require(c.measure_retries >= 0 && c.measure_retries <= 100,
            fmt::format("--measure-retries is {}", c.measure_retries), "use 0 to 100");
    require(
        c.pause_training == "auto" || c.pause_training == "always" || c.pause_training == "never",
        fmt::format("--pause-training '{}' is unknown", c.pause_training),
        "use auto, always or never");
    require(c.edge_timeout >= 0, fmt::format("--edge-timeout is {}", c.edge_timeout),
            "use 0 to wait for ever");
    require(c.time_limit >= 0, fmt::format("--time-limit is {}", c.time_limit), "use 0 for none");
    require(c.checkpoint_interval > 0,
            fmt::format("--checkpoint-interval is {}", c.checkpoint_interval),
            "use a positive time");
    wire::check_name("--device-class", c.device_class);
    check_edge_keys(c);
    static_cast<void>(log::level_from(c.log_level));
}

}  // namespace

ParseResult parse_search_config(int argc, const char* const* argv, Voice voice,
                                SearchConfig& config, std::string& config_text) {
    OptionParser parser(
        "edgeloop-search",
        "searches for networks that are accurate and fast on an edge device (NSGA-II). "
        "Runs alone or under mpirun: rank 0 leads, the others train.");
    OptionTable table(parser);
    add_options(table, config);
    if (voice == Voice::silent) parser.silence();
    if (!parser.parse(argc, argv)) return ParseResult::answered;
    validate(config);
    config_text = parser.config_text();
    return ParseResult::run;
}

std::vector<SearchOption> search_options(const SearchConfig& config) {
    SearchConfig copy = config;
    OptionParser parser("edgeloop-search", "");
    OptionTable table(parser);
    add_options(table, copy);
    return table.options();
}

SearchConfig read_old_config(const std::string& path, std::set<std::string>& known) {
    SearchConfig config;
    OptionParser parser("edgeloop-search", "");
    OptionTable table(parser);
    add_options(table, config);
    known = parser.read_old(path);
    return config;
}

MeasurementSettings measurement_settings(const SearchConfig& config) {
    MeasurementSettings settings;
    settings.threads = config.measure_threads;
    settings.time_budget_s = config.measure_seconds;
    settings.runtime = config.measure_runtime;
    settings.processor = config.measure_processor;
    std::vector<std::string> goals = config.objectives;
    for (const std::string& text : config.constraints)
        goals.push_back(parse_constraint(text).metric);
    for (const std::string& name : goals)
        if (const Metric* metric = find_metric(name); metric && metric->needs == Needs::samples)
            settings.min_samples = p99_samples;
    return MeasurementSettings::from_json(settings.to_json(), "--measure-*");
}

}  // namespace edgeloop::cli
