// edgeloop-model train: a design to the end of its schedule, on one process or under mpirun.
#include "apps/rank_binding.hpp"
#include "commands.hpp"
#include "searched_run.hpp"

#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/data/pixel_statistics.hpp"
#include "edgeloop/deploy/full_training.hpp"
#include "edgeloop/training/rate_test.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

using cli::Scope;

constexpr double decay_of_average = 0.999;

struct TrainCommand {
    apps::SearchConfig searched;  ///< of it what says how a network is trained
    std::string spec, from, select = "knee", out, log_level = "info";
    int epochs = 0;            ///< 0: as the recipe says
    double learning_rate = 0;  ///< 0: as the recipe says
    int repeats = 1;
    std::uint64_t seed = 1;
    bool average = false, resume = false, overwrite = false, tests_rates = false;
    RateTestSettings rates;
};

void add_what_to_train(cli::OptionParser& o, TrainCommand& c) {
    o.group("What to train");
    o.add("spec", &c.spec, "design: a JSON file, or a shipped one by name, e.g. human");
    o.add("from", &c.from, "instead of --spec: run directory of a search");
    o.add("select", &c.select,
          "--from: which member of its front: an id, knee, fastest, or best (by val_rmse)");
    o.add("data", &c.searched.training.shards,
          "folder with shards, as written by edgeloop-data shard; --from: default as the search");
    o.add("out", &c.out, "folder to write", needed_text());
    o.add("resume", &c.resume, "go on with the training in --out, which was stopped or killed");
    o.add("overwrite", &c.overwrite, "replace the training in --out");
    o.add("log-level", &c.log_level, "messages to show",
          one_of({"debug", "info", "warning", "error"}));
}

void add_how_to_train(cli::OptionParser& o, TrainCommand& c) {
    o.group("How to train; --from: defaults are those of the search", Scope::training);
    o.add("epochs", &c.epochs,
          "epochs, over which the recipe's schedule is stretched; 0: as many as the recipe says",
          between(0, 1e6), Scope::none);
    o.add("learning-rate", &c.learning_rate, "learning rate; 0: as the recipe says",
          between(0, 1e3), Scope::none);
    o.add("seed", &c.seed,
          "of initial weights and dropout of the first repeat; the next ones count up", {},
          Scope::none);
    o.add("repeats", &c.repeats, "trainings with seeds of their own, of which the best is kept",
          between(1, 1000), Scope::none);
    o.add("patience", &c.searched.training.patience_epochs,
          "early stopping: epochs without 1 % improvement of val_rmse after which a training ends; "
          "0: never; the best epoch is kept in any case",
          at_least(0));
    o.add("average", &c.average,
          "validate an exponential moving average of the weights beside them, and keep it where it "
          "is better");
    apps::add_trainer_settings(o, c.searched);
    apps::add_window_settings(o, c.searched.training);
}

void add_rate_test(cli::OptionParser& o, TrainCommand& c) {
    o.group("Learning-rate range test (Smith, 2017)");
    o.add("lr-test", &c.tests_rates,
          "instead of training: raise the learning rate from step to step, write the losses to "
          "lr_test.csv in --out, and suggest a tenth of the highest rate at which the loss is "
          "about its smallest");
    o.add("lr-lowest", &c.rates.lowest, "learning rate of the first step", more_than(0));
    o.add("lr-highest", &c.rates.highest, "learning rate of the last step", more_than(0));
    o.add("lr-steps", &c.rates.steps, "training steps", between(10, 100000));
}

void add_options(cli::OptionParser& o, TrainCommand& c) {
    add_what_to_train(o, c);
    add_how_to_train(o, c);
    add_rate_test(o, c);
}

cli::OptionParser parser() {
    return {"edgeloop-model train",
            "Trains a design to the end of its schedule, data-parallel when it is started with "
            "mpirun, and keeps its best epoch."};
}

/// Of a run only what says how its networks were trained, and not where: that is this start's.
void take_settings(const SearchedRun& run, TrainCommand& command) {
    const TrainingSettings defaults = apps::SearchConfig().training;
    command.searched = run.config;
    TrainingSettings& training = command.searched.training;
    training.threads = defaults.threads;
    training.device = defaults.device;
    training.kernels = defaults.kernels;
    training.mixed_precision = false;
    training.patience_epochs = 0;
    training.data_seed = run.config.engine.seed;
    training.shortest_line = run.shortest_line;
    training.batch_ranks = run.config.ranks_per_candidate;
}

/// What this start is asked for; the run in --from gives the defaults.
/// @return false when --help or the like was answered.
bool read_command(int argc, const char* const* argv, TrainCommand& command, SearchedRun& run,
                  cli::OptionParser& options, bool speaks) {
    TrainCommand first;
    cli::OptionParser looks = parser();
    add_options(looks, first);
    (void)looks.parse(argc, argv, cli::first_option, false);
    if (!first.from.empty()) {
        run = searched_run(first.from);
        take_settings(run, command);
    }
    add_options(options, command);
    const TrainingSettings before = command.searched.training;
    if (!options.parse(argc, argv, cli::first_option, speaks)) return false;
    TrainingSettings& training = command.searched.training;
    if (training.margin != before.margin || training.short_lines != before.short_lines)
        training.shortest_line = 0;  // the design's own window decides
    const auto require = [](bool holds, const char* problem, const char* suggestion) {
        if (!holds) throw ConfigError(problem, {}, suggestion);
    };
    require(command.spec.empty() != command.from.empty(), "give either --spec or --from",
            "a design's file, or the run directory of a search");
    require(!training.shards.empty(), "--data is missing",
            "name the folder made by edgeloop-data shard");
    require(!command.resume || !command.overwrite, "--resume and --overwrite exclude each other",
            "drop one of them");
    require(command.rates.lowest < command.rates.highest,
            "--lr-lowest is not less than --lr-highest", "give a range");
    return true;
}

/// The schedule spans what is really trained.
void stretch(TrainingRecipe& recipe, int epochs) {
    if (epochs == 0) return;
    const double factor = double(epochs) / recipe.epochs;
    const double steps = std::round(recipe.step_epochs * factor);
    recipe.step_epochs = int(std::clamp(steps, 1.0, 1e6));
    recipe.epochs = epochs;
}

ArchitectureSpec design_of(const TrainCommand& command, const SearchedRun& run,
                           const Dataset& dataset, Selection& member) {
    ArchitectureSpec spec;
    if (command.from.empty()) {
        spec = ArchitectureSpec::from_file(command.spec);
        if (command.searched.normalise_by_data) {
            const Normalisation of_data = pixel_statistics(dataset);
            spec.clip.mean = of_data.mean;
            spec.clip.deviation = of_data.deviation;
        }
    } else {
        member = select(command.from, command.select);
        spec = member.spec;
        require_same_kind(run, member, dataset, command.searched.training.shards);
    }
    stretch(spec.training, command.epochs);
    if (command.learning_rate > 0) spec.training.learning_rate = command.learning_rate;
    return ArchitectureSpec::from_json(spec.to_json(), "the design to train");  // in its ranges
}

/// What decides the result besides the spec, by the names of options.
std::map<std::string, std::string> deciding_options(const cli::OptionParser& options,
                                                    const TrainingSettings& settings) {
    std::map<std::string, std::string> deciding;
    for (const cli::Setting& setting : options.settings())
        if (setting.scope == Scope::training)
            deciding[setting.name] = fmt::format("{}", fmt::join(setting.values, " "));
    deciding["shortest-line"] = std::to_string(settings.shortest_line);
    deciding["batch-ranks"] = std::to_string(settings.batch_ranks);
    deciding["data-seed"] = std::to_string(settings.data_seed);
    return deciding;
}

FullTraining prepare(const TrainCommand& command, const SearchedRun& run,
                     const cli::OptionParser& options) {
    FullTraining training;
    training.settings = command.searched.training;
    TrainingSettings& settings = training.settings;
    settings.dataset = std::make_shared<const Dataset>(settings.shards);
    settings.start_at_mean = command.searched.normalise_by_data;
    if (command.average) settings.average_decay = decay_of_average;
    if (command.from.empty()) {
        settings.data_seed = command.seed;
        settings.batch_ranks = 1;
    }
    training.spec = design_of(command, run, *settings.dataset, training.from);
    training.seed = command.seed;
    training.repeats = command.repeats;
    training.out = command.out;
    training.into = command.resume      ? IntoFolder::resume
                    : command.overwrite ? IntoFolder::overwrite
                                        : IntoFolder::fresh;
    training.options = deciding_options(options, settings);
    training.say = [](const std::string& line) {
        fmt::print("{}\n", printable(line));
        std::fflush(stdout);
    };
    return training;
}

/// A signal stops the training, and it is saved.
class SignalToken : public CancelToken {
  public:
    [[nodiscard]] bool requested() const override { return stop_signal() != 0; }
    [[nodiscard]] bool will_resume() const override { return true; }
};

std::string error_text(const TrainedModel& model, const Metrics& metrics) {
    std::string text = fmt::format("val_rmse {:.4f}", metrics.at("val_rmse"));
    for (const Target& target : model.targets) {
        const auto found = metrics.find("val_rmse_" + metric_name(target));
        if (found != metrics.end())
            text += fmt::format(", {} {:.4g} {}", target.name, found->second, target.unit);
    }
    return text;
}

void report(const TrainedModel& model, const Selection& from) {
    const Repeat& best = model.best();
    fmt::print("\nkept epoch {} of {}{}: {}\n", best.best_epoch, best.metrics.at("train_epochs"),
               best.averaged ? ", averaged weights" : "",
               printable(error_text(model, best.metrics)));
    if (model.repeats.size() > 1) {
        const Spread& spread = model.metrics.at("val_rmse");
        fmt::print("val_rmse of {} seeds: mean {:.4f}, standard deviation {:.4f}; kept: seed {}\n",
                   spread.n, spread.mean, spread.sd, best.seed);
    }
    if (const auto found = from.metrics.find("val_rmse"); found != from.metrics.end())
        fmt::print("design {} of '{}' had val_rmse {:.4f} in the search\n", from.id,
                   printable(from.run_dir), found->second);
    fmt::print("written to {}: weights.safetensors, spec.json, curve.csv, training.json\n",
               printable(model.folder));
}

void write_rates(const RateTest& test, const TrainCommand& command) {
    const std::string file = command.out + "/lr_test.csv";
    std::string table = "step,learning_rate,loss,smoothed_loss\n";
    for (std::size_t i = 0; i < test.points.size(); ++i)
        table += fmt::format("{},{},{},{}\n", i + 1, shortest(test.points[i].rate),
                             shortest(test.points[i].loss), shortest(test.points[i].smoothed));
    make_directories(command.out);
    write_file_atomic(file, table);
    fmt::print("{} from rate {:.3g} to {:.3g}{}\n", plural(test.points.size(), "step"),
               test.points.front().rate, test.points.back().rate,
               test.diverged ? ", where the loss diverged" : "");
    fmt::print(
        "suggested: --learning-rate {:.2g}, a tenth of the highest rate at which the loss is about "
        "its smallest\n",
        test.suggested);
    if (!test.rose) log::warning("the loss still fell at the highest rate: raise --lr-highest");
    fmt::print("written to {}\n", printable(file));
}

void test_and_report(const FullTraining& training, const TrainCommand& command,
                     const Communicator& world, const CancelToken& token) {
    Candidate candidate;
    candidate.id = 1;
    candidate.design = Design::of(training.spec);
    candidate.seed = training.seed;
    const RateTest test = test_rates(training.settings, candidate, world, token, command.rates);
    if (test.status == Status::cancelled) throw Stopped("the test was stopped; nothing was kept");
    if (test.status == Status::lost) throw IoError("the test could not go on: " + test.reason);
    if (test.status != Status::completed) throw ConfigError("the test failed: " + test.reason);
    world.agree("writing the table", [&] {
        if (world.rank() == 0) write_rates(test, command);
    });
}

void train_on_ranks(FullTraining& training, const TrainCommand& command,
                    const Communicator& world) {
    world.agree("forming a group", [&, bindings = gather_bindings(world)] {
        if (world.rank() == 0) apps::report_binding(bindings, training.settings.threads, 0);
    });
    const TrainingDevices devices = agree_on_devices(world, training.settings, true);
    training.settings.device = devices.device;
    training.options["device"] = devices.device == Device::cuda ? "cuda" : "cpu";
    if (world.rank() == 0) {
        log::info("training on {}", devices.description());
        if (training.from.may_change)
            log::warning("the search in '{}' has not ended: its front may still change",
                         training.from.run_dir);
    }
    limit_stopping(0);  // from here on a stop saves
    const SignalToken token;
    if (command.tests_rates) return test_and_report(training, command, world, token);
    const TrainedModel model = train_fully(training, world, token);
    if (world.rank() == 0) report(model, training.from);
}

/// What all ranks throw alike is said once, and they leave MPI in order.
int run(FullTraining& training, const TrainCommand& command, const Communicator& world) {
    try {
        train_on_ranks(training, command, world);
    } catch (const Error& error) {
        if (world.size() == 1) throw;
        if (world.rank() > 0) return 0;
        log::write(error.exit_code() == ExitCode::stopped ? log::Level::warning : log::Level::error,
                   error.what());
        return static_cast<int>(error.exit_code());
    }
    return static_cast<int>(ExitCode::done);
}

}  // namespace

int train_command(int argc, const char* const* argv) {
    const bool leads = launcher_rank() == 0;
    TrainCommand command;
    SearchedRun searched;
    FullTraining training;
    std::exception_ptr mistake;
    cli::OptionParser options = parser();
    try {
        if (!read_command(argc, argv, command, searched, options, leads)) return 0;
        log::configure(log::level_from(command.log_level),
                       launched_by_mpi() ? fmt::format("rank {}", launcher_rank()) : "");
        install_stop_handlers();
        limit_stopping();
        training = prepare(command, searched, options);
    } catch (const Error&) {
        if (leads) throw;  // one message, and the launcher ends the others
        mistake = std::current_exception();
    }
    if (command.searched.training.device != Device::cpu) claim_cuda_device();
    int no_arguments = 0;
    char** none = nullptr;
    const MpiSession session(no_arguments, none);
    const Communicator world = session.world();
    world.agree("reading the input", [&] {
        if (mistake) std::rethrow_exception(mistake);
    });
    if (!world.is_same_on_all_ranks(options.config_text()))
        throw ConfigError("the ranks were started with different options", {},
                          "give all of them the same command line and config file");
    return run(training, command, world);
}

}  // namespace edgeloop
