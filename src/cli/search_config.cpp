#include "edgeloop/cli/search_config.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/messages.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <fmt/format.h>

namespace edgeloop::cli {
namespace {

void add_options(OptionParser& parser, SearchConfig& c) {
    parser.group("What to search");
    parser.add("space", &c.space, "search space: a shipped one by name or a JSON file");
    parser.add("data", &c.data, "folder with shards, made by edgeloop-data shard");
    parser.add("problem", &c.problem,
               "an analytic problem (zdt1, dtlz2, ...) instead of training; for tests and studies");
    parser.add("objectives", &c.objectives, "metrics to minimise; default: val_rmse latency_ms");
    parser.add("reference", &c.reference,
               "reference point of the hypervolume: the worst value of each objective that is of "
               "interest; default: beyond the worst of the first population");
    parser.add("constraint", &c.constraints, "limit such as latency_ms<=0.8; may be repeated");
    parser.add("seed-specs", &c.seed_specs, "spec files (JSON) to put into the first population");

    parser.group("How to search");
    parser.add("engine", &c.engine, "generational, steady-state or random");
    parser.add("seed", &c.seed, "seed of everything random in this run");
    parser.add("population", &c.population, "members of the population");
    parser.add("evaluations", &c.evaluations, "designs to evaluate in all");
    parser.add("crossover-probability", &c.crossover_probability,
               "probability of crossing two parents");
    parser.add("mutation-probability", &c.mutation_probability,
               "probability of mutating a gene; negative: 1 / genes");
    parser.add("rungs", &c.rungs,
               "training budgets in epochs, ascending; the best of a rung train on to the next");
    parser.add("reduction", &c.reduction, "one in so many designs climbs to the next rung");
    parser.add("rung-disk", &c.rung_disk,
               "MiB on disk for trainings that wait for a higher rung; beyond it the oldest are "
               "dropped and trained anew if they climb");
    parser.add("prune-hopeless", &c.prune_hopeless,
               "cancel training of a design whose latency shows that it cannot reach the front");
    parser.add("prune-optimism", &c.prune_optimism,
               "how much slower than a dominating rival it may be and still train, as a fraction");
    parser.add("model-children", &c.model_children,
               "offspring made for each design; a model of the results so far picks the one that "
               "promises most for its FLOPs, and who climbs or is pruned; 30 is a good number; 1: "
               "no model");
    parser.add(
        "max-attempts", &c.max_attempts,
        "how often a design may be lost with its rank, its device or the whole run before it is "
        "given up");

    parser.group("Training");
    parser.add("ranks-per-candidate", &c.ranks_per_candidate,
               "MPI ranks that train one design together");
    parser.add(
        "large-ranks", &c.large_ranks,
        "MPI ranks that train a large design together: one that takes as long on them as the "
        "space's median design on --ranks-per-candidate; 0: all designs are alike");
    parser.add("epochs", &c.epochs, "epochs per design; 0: as its spec says");
    parser.add("max-train-samples", &c.max_train_samples, "train on so many scan lines; 0: all");
    parser.add("max-validation-samples", &c.max_validation_samples,
               "validate on so many scan lines; 0: all");
    parser.add("augment", &c.augment,
               "train on flipped and turned clips too: neither changes speed or power");
    parser.add("threads", &c.threads, "compute threads per rank");
    parser.add("device", &c.device,
               "train on: auto (CUDA when every rank that trains has one, the CPU when none has), "
               "cpu or cuda");
    parser.add("kernels", &c.kernels,
               "implementation of the networks' layers: auto (fused on the CPU, library on CUDA), "
               "fused, library or plain; results agree to rounding");
    parser.add("mixed-precision", &c.mixed_precision,
               "matrix products in bfloat16, weights in float32; needs a CUDA device, or --device "
               "cpu said in so many words");
    parser.add("clip-norm", &c.clip_norm, "shorten gradients longer than this; 0: never");
    parser.add(
        "patience", &c.patience,
        "end training after so many epochs without 1 % less val_rmse and give the epoch with the "
        "smallest; 0: never, and give the last");
    parser.add("candidate-limit", &c.candidate_limit,
               "a design that trains for more seconds has timed out; 0: no limit");
    parser.add("silence-limit", &c.silence_limit,
               "give up a group of ranks that is silent for so many seconds; 0: never");
    parser.add("coordinator-trains", &c.coordinator_trains,
               "rank 0 trains too, for small allocations; needs --ranks-per-candidate 1");
    parser.add("save-weights", &c.save_weights,
               "keep the weights of the front's designs in models/<id>/");

    parser.group("The edge");
    parser.add(
        "edge", &c.edge,
        "who measures latency: local (an agent started here), bind:tcp://*:PORT (agents dial in), "
        "tcp://HOST:PORT (a bridge; ipc://PATH works in both forms), model (computed, marked as "
        "modelled) or none");
    parser.add("device-class", &c.device_class,
               "measure only on devices of this class; empty: any");
    parser.add("measure-seconds", &c.measure_seconds,
               "time budget of one measurement; a device may add to it (its --patience)");
    parser.add("measure-threads", &c.measure_threads, "compute threads on the device");
    parser.add("measure-runtime", &c.measure_runtime,
               "what the device runs networks on: eager, torchscript, onnx or tensorrt");
    parser.add("measure-processor", &c.measure_processor, "of the device: cpu or cuda");
    parser.add("edge-timeout", &c.edge_timeout,
               "stop with a checkpoint after so many seconds without a device; 0: wait");
    parser.add("edge-keys", &c.edge_keys, "our key file (edgeloop-bridge keygen)");
    parser.add("edge-server-key", &c.edge_server_key, "tcp://: public key file of the bridge");
    parser.add("edge-allow", &c.edge_allow,
               "bind: public keys of agents that may connect (a folder of .pub files, or a list)");
    parser.add("edge-insecure", &c.edge_insecure, "allow a network link without keys");

    parser.group("The run");
    parser.add("run-dir", &c.run_dir, "folder for everything this run writes");
    parser.add("resume", &c.resume, "go on with the run in --run-dir");
    parser.add("reuse", &c.reuse,
               "earlier run directories whose results are taken instead of evaluating again");
    parser.add("time-limit", &c.time_limit,
               "stop with a checkpoint (exit 75) after so many seconds; 0: never");
    parser.add("checkpoint-interval", &c.checkpoint_interval,
               "seconds between snapshots; the journal is kept at every event");
    parser.add("stop-signal", &c.stop_signal,
               "stop with a checkpoint on this signal too: USR1, USR2 or none");
    parser.add("log-level", &c.log_level, "debug, info, warning or error");

    parser.group("Planning: how long a run would take");
    parser.add("plan", &c.plan,
               "predict time, bottleneck and best group size of this run from trainings and "
               "measurements timed now; nothing is searched");
    parser.add("plan-ranks", &c.plan_ranks, "for so many ranks; 0: as many as were started");
    parser.add("plan-cores", &c.plan_cores,
               "for so many cores in all; 0: this machine's, or enough for --plan-ranks");
    parser.add("plan-devices", &c.plan_devices, "for so many devices that measure");
    parser.add("plan-device-seconds", &c.plan_device_seconds,
               "one measurement takes so long; 0: timed with --edge local, else --measure-seconds");
    parser.add("plan-seconds", &c.plan_seconds, "time trainings for so long per size of group");
    parser.add("json", &c.json, "print the plan as JSON");
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
    add_options(parser, config);
    if (voice == Voice::silent) parser.silence();
    if (!parser.parse(argc, argv)) return ParseResult::answered;
    validate(config);
    config_text = parser.config_text();
    return ParseResult::run;
}

MeasurementSettings measurement_settings(const SearchConfig& config) {
    MeasurementSettings settings;
    settings.threads = config.measure_threads;
    settings.time_budget_s = config.measure_seconds;
    settings.runtime = config.measure_runtime;
    settings.processor = config.measure_processor;
    return MeasurementSettings::from_json(settings.to_json(), "--measure-*");
}

}  // namespace edgeloop::cli
