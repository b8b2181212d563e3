// All that is said about each setting of edgeloop-search.
#include "apps/search_config.hpp"

#include "edgeloop/data/window.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace edgeloop::apps {
namespace {

using cli::OptionParser;
using cli::Scope;
using cli::spelled;

void add_what_to_search(OptionParser& o, SearchConfig& c) {
    Goals& goals = c.engine.goals;
    o.group("What to search", Scope::engine);
    o.add("space", &c.space, "search space: a shipped one by name, or a JSON file");
    o.add("data", &c.training.shards, "folder with shards, as written by edgeloop-data shard", {},
          Scope::training);
    o.add("problem", &c.problem,
          "instead of training: table:FILE, a table of finished evaluations (tab-separated, plain "
          "or .gz), or an analytic problem (zdt1, dtlz2, ...)");
    o.add("objectives", &goals.objectives,
          "metrics to minimise; default: val_rmse latency_ms (--edge none: val_rmse flops); "
          "measured by one of several classes of devices: latency_ms@CLASS");
    // With a surrogate it decides what is proposed; else only what hypervolume is shown.
    o.add(
        "reference", &goals.reference,
        "reference point of the hypervolume, one value for each objective, e.g. 0.3 2.0; default: "
        "the objective's --constraint; of an error that of predicting the mean; else 10 times the "
        "smallest of the first results, rounded up to 1, 2 or 5",
        {},
        c.engine.surrogate.children > 1 || c.engine.kind == EngineKind::model_based ? Scope::engine
                                                                                    : Scope::run);
    o.add("constraint", &c.constraints, "limit on a metric, e.g. latency_ms<=0.8; may be repeated");
    o.add("seed-specs", &c.seed_specs, "spec files (JSON) of designs for the first population");
}

void add_table(OptionParser& o, SearchConfig& c) {
    // No part of what a resume compares: what they come to is in the digest of the table.
    o.group("What the columns of a table are (--problem table:FILE)", Scope::run);
    o.add("table-spec", &c.table_spec,
          "JSON file that says it; default: FILE with .json for .tsv or .tsv.gz, if there is one; "
          "the options below are said besides");
    o.add("genes", &c.genes,
          "columns that are searched, besides those of the JSON file or, without one, all columns "
          "of text; categorical, or as NAME:ordinal, NAME:integer, NAME:real");
    o.add("measured", &c.measured,
          "columns that the edge device delivers: known before a training ends");
    o.add("counted", &c.counted, "columns that are known without any evaluation");
    o.add("fidelities", &c.fidelities,
          "columns that an objective has after fewer epochs, for --rungs and --epochs, e.g. "
          "error@12=error_e12 error@200=error_e200");
    o.add("epoch-seconds", &c.epoch_seconds,
          "column with the seconds that one epoch trains, for --simulate-workers");
}

void add_simulation(OptionParser& o, SearchConfig& c) {
    o.group("Simulation: --problem on a virtual clock", Scope::run);
    o.add("simulate-workers", &c.simulated_workers,
          "workers that train at once in virtual time, 1 s an epoch or as --epoch-seconds says; "
          "the search runs in one process, without waiting; 0: in real time",
          between(0, 1e6));
    o.add("simulate-sigma", &c.simulated_sigma,
          "--simulate-workers: trainings take longer or shorter by a log-normal factor with this "
          "deviation of its logarithm",
          between(0, 10));
}

void add_how_to_search(OptionParser& o, SearchConfig& c) {
    EngineSettings& engine = c.engine;
    o.group("How to search", Scope::engine);
    o.add("engine",
          spelled(&engine.kind, {{"model-based", EngineKind::model_based},
                                 {"generational", EngineKind::generational},
                                 {"steady-state", EngineKind::steady_state},
                                 {"random", EngineKind::random}}),
          "search algorithm: a model of all results chooses what is trained next; NSGA-II in "
          "generations, whose result is the same for any number of ranks, or steady-state; or "
          "random sampling");
    o.add("seed", &engine.seed, "random seed of the run");
    o.add("population", &engine.population, "population size", between(2, 1e6));
    o.add(
        "evaluations", &c.evaluations,
        fmt::format("designs to evaluate in all (trials); 0: {}, or with --budget as many as it is "
                    "good for",
                    EngineSettings().evaluations),
        between(0, 1e8), Scope::run);
    o.add("budget", &c.budget,
          "what all trainings together may cost: epochs, seconds of training, or core hours, e.g. "
          "500epochs, 3600s, 20corehours; no design is begun or promoted that would overstep it; "
          "what "
          "--confirm trains counts, and is made also when it is out",
          {}, Scope::run);
    o.add(
        "confirm", &engine.confirm,
        "further trainings, with other seeds, of each design that would be a member of the front: "
        "its result is their mean; at most as many in all as --evaluations; 0: one training "
        "counts as truth; --problem never confirms",
        between(0, 100));
    o.add("crossover-probability", &engine.variation.crossover_probability,
          "probability of crossing two parents", between(0, 1));
    o.add("mutation-probability", &engine.variation.mutation_probability,
          "probability of mutating a gene; negative: 1 / number of genes",
          Range(-std::numeric_limits<double>::infinity(), 1));
}

void add_rungs_and_models(OptionParser& o, SearchConfig& c) {
    EngineSettings& engine = c.engine;
    o.add("rungs", &engine.ladder.epochs,
          "successive halving: epochs of each rung, ascending, e.g. 1 3 9; the best designs of a "
          "rung are promoted and train on to the next",
          at_least(1));
    o.add("reduction", &engine.ladder.reduction,
          "reduction factor of --rungs: 1 of this many designs is promoted to the next rung; "
          "--engine model-based: of --evaluations, in all",
          more_than(1));
    o.add("rung-disk", &c.rung_disk,
          "MiB on disk for the state of trainings that may be promoted; beyond it the oldest are "
          "deleted and trained from the start if promoted",
          at_least(0), Scope::run);
    o.add("prune-hopeless", &engine.pruning.dominated,
          "prune a design before it trains when its latency shows that it will be dominated");
    o.add("prune-optimism", &engine.pruning.optimism,
          "--prune-hopeless: margin by which a design may be slower than the one that dominates it "
          "and still train, e.g. 0.3 for 30 %",
          at_least(0));
    o.add("model-children", &engine.surrogate.children,
          "--engine generational or steady-state: offspring bred for each design, of which a "
          "quadratic regression chooses the one with the highest predicted hypervolume gain per "
          "FLOP; it also decides promotion and pruning; e.g. 30; 1: none",
          between(1, 10000));
    o.add("max-attempts", &c.coordination.max_attempts,
          "attempts at a design that is lost to a failing rank, device or run", between(1, 1e9),
          Scope::run);
}

void add_training(OptionParser& o, SearchConfig& c) {
    TrainingSettings& training = c.training;
    o.group("Training", Scope::training);
    o.add("ranks-per-candidate", &c.ranks_per_candidate,
          "MPI ranks that train one design, data-parallel", between(1, 1e6));
    o.add("large-ranks", &c.large_ranks,
          "MPI ranks that train one large design, a multiple of --ranks-per-candidate; a design is "
          "large when its FLOPs exceed the space's median by as large a factor; 0: no distinction",
          between(0, 1e6));
    o.add("epochs", &c.epochs, "training epochs of each design; 0: as its spec says", at_least(0),
          Scope::engine);
    add_trainer_settings(o, c);
    o.add("patience", &training.patience_epochs,
          "early stopping: epochs without 1 % improvement of val_rmse after which a training ends; "
          "its best epoch counts; 0: no early stopping, the last epoch counts",
          at_least(0));
    o.add("candidate-limit", &c.dispatch.candidate_limit_s,
          "time limit of one training in seconds; 0: none", at_least(0), Scope::run);
    o.add("silence-limit", &c.dispatch.silence_limit_s,
          "seconds without a heartbeat after which a group of ranks is given up; 0: never",
          at_least(0), Scope::run);
    o.add("coordinator-trains", &c.coordinator_trains,
          "rank 0 trains too, for small allocations; needs --ranks-per-candidate 1", {},
          Scope::run);
    o.add("save-weights", &c.save_weights,
          "save the weights of the Pareto front's designs in models/<id>/", {}, Scope::run);
}

void add_windows(OptionParser& o, SearchConfig& c) {
    o.group("Windows of scan lines", Scope::training);
    add_window_settings(o, c.training);
    o.add("max-left-out", &c.max_left_out,
          "refuse a space with windows for which more than this share of the scan lines is too "
          "short",
          between(0, 1), Scope::run);
}

void add_measurement(OptionParser& o, SearchConfig& c) {
    MeasurementSettings& measurement = c.probe.settings;
    o.add("measure-seconds", &measurement.time_budget_s,
          "time budget of one measurement in seconds; a device may extend it (its --patience)",
          MeasurementSettings::range("time_budget_s"));
    o.add("measure-threads", &measurement.threads, "compute threads on the device",
          MeasurementSettings::range("threads"));
    o.add("measure-runtime", &measurement.runtime, "inference runtime on the device",
          MeasurementSettings::range("runtime"));
    o.add("measure-part", &measurement.part,
          "--measure-runtime rtl: gate array that is simulated, e.g. zynq7020; of a class "
          "rtl-PART that part by default",
          MeasurementSettings::range("part"));
    o.add("measure-resources", &measurement.resources,
          "--measure-runtime rtl: what a design takes of the part, by formula or counted by yosys",
          MeasurementSettings::range("resources"));
    o.add("measure-clock", &measurement.clock,
          "--measure-runtime rtl: the part's assumed clock, or that of place and route, where it "
          "is free",
          MeasurementSettings::range("clock"));
    o.add("measure-processor", &measurement.processor, "processor of the device",
          MeasurementSettings::range("processor"));
    o.add("camera-height", &measurement.frame_height,
          "height of the camera's frames, for preprocess_ms and pipeline_ms",
          MeasurementSettings::range("frame_height"));
    o.add("camera-width", &measurement.frame_width, "their width",
          MeasurementSettings::range("frame_width"));
}

void add_edge(OptionParser& o, SearchConfig& c) {
    o.group("The edge", Scope::measuring);
    o.add("edge", &c.edge,
          "where latency is measured: local (an agent started here), bind:tcp://*:PORT (agents "
          "connect), tcp://HOST:PORT (a bridge; ipc://PATH works in both forms), model (computed, "
          "marked as modelled) or none");
    o.add(
        "device-class", &c.device_classes,
        "measure only on devices of this class; empty: any. Of several classes each measures what "
        "objectives and constraints name it for, e.g. latency_ms@board; CLASS:SETTING=VALUE,... "
        "are settings of its own (seconds, threads, runtime, processor, part, resources, clock, "
        "camera-height, camera-width), e.g. board:threads=2,runtime=native");
    add_measurement(o, c);
    o.add("measure-retries", &c.coordination.measure_retries,
          "retries of a measurement that is not valid (disturbed, median uncertain, drifted), if "
          "possible "
          "on another device",
          between(0, 100));
    o.add("measure-ahead", &c.measure_ahead,
          "--engine model-based: designs that are measured before it is decided whether to train "
          "them, for each that is trained, while the devices have nothing else to do; -1: 4, but "
          "0 with --edge local, where measuring takes cores from training",
          between(-1, 1000), Scope::run);
    o.add("require-valid", &c.coordination.require_valid,
          "drop a design without a valid measurement instead of ranking it by what was measured");
    o.add(
        "pause-training", &c.pause_training,
        "--edge local: pause the trainings on this machine while it measures; auto: if they leave "
        "no core",
        one_of({"auto", "always", "never"}));
    o.add("edge-timeout", &c.edge_timeout,
          "seconds without a device after which the search stops with a checkpoint; 0: wait",
          at_least(0), Scope::run);
    o.add("edge-keys", &c.edge_keys, "key file of this side (edgeloop-bridge keygen)", {},
          Scope::run);
    o.add("edge-server-key", &c.edge_server_key, "--edge tcp://...: public key file of the bridge",
          {}, Scope::run);
    o.add("edge-allow", &c.probe.allow_list,
          "--edge bind:...: public keys of agents that may connect (a folder of .pub files, or a "
          "list)",
          {}, Scope::run);
    o.add("edge-insecure", &c.probe.allow_plain_network, "allow a network link without keys", {},
          Scope::run);
}

void add_run(OptionParser& o, SearchConfig& c) {
    o.group("The run", Scope::run);
    o.add("run-dir", &c.run_dir, "folder for everything this run writes");
    o.add("share", &c.share,
          "let the group read what this run writes (files 0640, folders 0750); without it only the "
          "owner may (0600, 0700)");
    o.add("resume", &c.resume, "continue the run in --run-dir");
    o.add("allow-changed", &c.allow_changed,
          "--resume: allow other settings of training and measuring than before (threads, data, "
          "device class, ...); each result records its own");
    o.add("reuse", &c.reuse,
          "earlier run directories whose results are taken instead of evaluating again");
    o.add("time-limit", &c.time_limit,
          "time limit of this start in seconds: it stops with a checkpoint (exit 75); 0: none",
          at_least(0));
    o.add("checkpoint-interval", &c.coordination.snapshot_seconds,
          "seconds between checkpoints; the journal is written at every event", more_than(0));
    o.add("stop-signal",
          spelled(&c.stop_signal, {{"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"none", 0}}),
          "signal on which to stop with a checkpoint, besides INT and TERM");
    o.add("tensorboard", &c.tensorboard,
          "write event files for TensorBoard, too: hypervolume, best values and learning curves in "
          "tensorboard/ of the run directory");
    o.add("quiet", &c.quiet,
          "print no progress and no result: what is not a warning or an error is in --run-dir", {},
          Scope::none);
    o.add("json", &c.json,
          "print progress and result as JSON, an object a line as in status.json; --plan: the plan",
          {}, Scope::none);
    o.add("log-level", &c.log_level, "messages to show",
          one_of({"debug", "info", "warning", "error"}), Scope::none);
    o.group("Planning: how long a run would take");
    o.add("plan", &c.plan,
          "predict time, bottleneck and best group size of this run from short timed trainings and "
          "measurements; nothing is searched");
    o.add("plan-ranks", &c.plan_ranks, "MPI ranks of the run; 0: as many as were started",
          between(0, 1e6));
    o.add("plan-cores", &c.plan_cores,
          "CPU cores of the run; 0: this machine's, or enough for --plan-ranks", between(0, 1e6));
    o.add("plan-devices", &c.plan_devices, "edge devices of the run", between(1, 1e6));
    o.add("plan-device-seconds", &c.plan_device_seconds,
          "seconds of one measurement; 0: timed with --edge local, else --measure-seconds",
          at_least(0));
    o.add("plan-seconds", &c.plan_seconds, "seconds to time trainings, for each group size",
          more_than(0));
}

}  // namespace

void add_trainer_settings(OptionParser& o, SearchConfig& c) {
    TrainingSettings& training = c.training;
    o.add("max-train-samples", &training.max_train_samples,
          "scan lines to train on, a random subset; 0: all", at_least(0));
    o.add("max-validation-samples", &training.max_validation_samples,
          "scan lines to validate on, a random subset; 0: all", at_least(0));
    o.add("augment", &training.augment,
          "augment training data by flips and quarter turns; --augment=false: do not");
    o.add("normalise", spelled(&c.normalise_by_data, {{"data", true}, {"spec", false}}),
          "grey values to mean 0 and deviation 1: by the statistics of the training lines, which "
          "each "
          "design's spec then says, with networks that begin at the mean of the targets; or by the "
          "constants of the specs, by default the published ones");
    o.add("threads", &training.threads, "compute threads of each rank that trains",
          between(1, 1e6));
    o.add("device",
          spelled(&training.device,
                  {{"auto", Device::automatic}, {"cpu", Device::cpu}, {"cuda", Device::cuda}}),
          "where to train; auto: CUDA if every rank that trains has a CUDA device, the CPU if none "
          "has one");
    o.add("kernels",
          spelled(&training.kernels, {{"auto", std::nullopt},
                                      {"fused", Kernels::fused},
                                      {"library", Kernels::library},
                                      {"plain", Kernels::plain}}),
          "implementation of the networks' layers, equal to rounding; auto: fused on the CPU, "
          "library on CUDA");
    o.add("mixed-precision", &training.mixed_precision,
          "matrix products in bfloat16, weights in float32; needs CUDA, or --device cpu");
    o.add("clip-norm", &training.clip_norm,
          "gradient clipping: largest norm of the gradient, e.g. 1.0; 0: no clipping", at_least(0));
}

void add_window_settings(OptionParser& o, TrainingSettings& training) {
    o.add("margin", &training.margin,
          "frames at each end of a scan line that no window touches: the ends tell how long it is",
          between(0, WindowRule::max_frames));
    o.add("short-lines",
          spelled(&training.short_lines, {{"skip", ShortLines::skip},
                                          {"repeat", ShortLines::repeat},
                                          {"pad", ShortLines::pad}}),
          "scan lines without room for a window: leave them out, repeat their frames, or pad them "
          "with black frames, as published; repeating and padding tell how long they are");
    o.add("validation-windows", &training.validation_windows,
          "windows of each scan line to validate on", between(1, 1000));
}

void add_search_settings(OptionParser& o, SearchConfig& c) {
    add_what_to_search(o, c);
    add_table(o, c);
    add_simulation(o, c);
    add_how_to_search(o, c);
    add_rungs_and_models(o, c);
    add_training(o, c);
    add_windows(o, c);
    add_edge(o, c);
    add_run(o, c);
}

}  // namespace edgeloop::apps
