#include "edgeloop/deploy/full_training.hpp"

#include "curve_table.hpp"

#include "edgeloop/core/access.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/data/dataset.hpp"
#include "edgeloop/model/final_ranks.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;
using Options = std::map<std::string, std::string>;

std::string work_folder(const std::string& folder) { return folder + "/training"; }
std::string options_file(const std::string& folder) {
    return work_folder(folder) + "/options.json";
}
CandidateId id_of(int repeat) { return CandidateId(repeat) + 1; }
std::string kept_file(const std::string& folder, int repeat, const char* ending) {
    return fmt::format("{}/{}.{}", work_folder(folder), id_of(repeat), ending);
}

Options options_in(const std::string& file) {
    try {
        return parse_kept_json(read_file(file, 1 << 20)).get<Options>();
    } catch (const Json::exception& error) {
        throw CorruptState(fmt::format("'{}' is damaged", file), error.what(),
                           "train again with --overwrite");
    }
}

void require_same(const Options& before, const Options& now, const std::string& folder) {
    std::vector<std::string> changed;
    for (const auto& [name, value] : now) {
        const auto found = before.find(name);
        if (found == before.end() || found->second != value)
            changed.push_back(fmt::format(
                "{} {}, now {}", name, found == before.end() ? "not known" : found->second, value));
    }
    if (changed.empty()) return;
    throw ConfigError(fmt::format("the training in '{}' was begun with {}", folder,
                                  printable(fmt::format("{}", fmt::join(changed, "; ")))),
                      "it would end with another curve",
                      "resume with what began it, or train anew with --overwrite or another --out");
}

/// What a training leaves in its folder while it is under way.
void remove_work(const std::string& folder, int repeats) {
    std::error_code ignored;
    for (int repeat = 0; repeat < repeats; ++repeat)
        for (const char* ending : {"state", "safetensors"})
            fs::remove(kept_file(folder, repeat, ending), ignored);
    fs::remove(options_file(folder), ignored);
    fs::remove(work_folder(folder), ignored);  // not if somebody put more there
}

/// The record first: without it the folder is no trained model.
void remove_model(const std::string& folder) {
    std::error_code ignored;
    for (const char* name : {"training.json", "weights.safetensors", "spec.json", "curve.csv"})
        fs::remove(folder + '/' + name, ignored);
}

/// The folder of a training, on the first rank.
class OutputFolder {
  public:
    OutputFolder(const FullTraining& training, Options options)
        : training_(training), options_(std::move(options)) {
        const std::string& out = training.out;
        if (fs::exists(out + "/journal.jsonl"))
            throw ConfigError(fmt::format("'{}' is the run directory of a search", out), {},
                              "choose another --out");
        if (training.into == IntoFolder::fresh && holds_training(out))
            throw ConfigError(fmt::format("'{}' holds a training already", out),
                              "it would be overwritten",
                              "go on with it by --resume, allow it by --overwrite, or choose "
                              "another --out");
        make_directories(out);
        lock_ = lock_file(out + "/.lock");
        if (lock_.get() < 0)
            throw ConfigError(fmt::format("'{}' is in use by another process", out), {},
                              "wait for it, or choose another --out");
        if (training.into == IntoFolder::overwrite) clear();
        resume_or_begin();
    }

    /// The model, when it was finished before.
    [[nodiscard]] bool finished() const { return holds_trained_model(training_.out); }

    void write_curve(const std::vector<std::vector<EpochRecord>>& curves) const {
        write_file_atomic(training_.out + "/curve.csv", curve_table(curves),
                          Durability::process_crash);
    }

    void finish(TrainedModel& model) const {
        const std::string weights = kept_file(training_.out, int(model.chosen), "safetensors");
        model.options = options_;
        model.spec = with_ranks_of_file(weights, model.spec);
        model.save(training_.out, read_file(weights));
        remove_work(training_.out, training_.repeats);
        std::error_code ignored;
        fs::remove(training_.out + "/.lock", ignored);
    }

  private:
    void clear() const {
        remove_model(training_.out);
        constexpr int most = 1000;  // repeats of a training that is there
        remove_work(training_.out, most);
    }

    void resume_or_begin() const {
        if (finished())
            return require_same(TrainedModel::load(training_.out).options, options_, training_.out);
        const std::string file = options_file(training_.out);
        if (fs::exists(file)) return require_same(options_in(file), options_, training_.out);
        make_inner_folder(work_folder(training_.out), Access::owner);
        write_file_atomic(file, Json(options_).dump(2) + '\n', Durability::power_cut,
                          Access::owner);
    }

    const FullTraining& training_;
    Options options_;
    Descriptor lock_;
};

/// The repeats, one after the other.
class Repeats {
  public:
    Repeats(const FullTraining& training, const OutputFolder* folder)
        : training_(training), folder_(folder) {}

    /// Collective. @throws as train_fully().
    void train(int repeat, const Communicator& world, const CancelToken& token) {
        TrainingSettings settings = training_.settings;
        settings.keep_best_epoch = settings.save_every_epoch = true;
        settings.state_dir = settings.weights_dir = work_folder(training_.out);
        settings.on_epoch = [this, repeat](const auto& curve, bool trained) {
            report(repeat, curve, trained);
        };
        Candidate candidate;
        candidate.id = id_of(repeat);
        candidate.design = Design::of(training_.spec);
        candidate.seed = training_.seed + std::uint64_t(repeat);
        curves_.resize(std::size_t(repeat) + 1);
        since_ = steady_seconds();
        const Outcome outcome = Trainer(settings).train(candidate, world, token);
        require_completed(outcome);
        const auto best = int(outcome.metrics.at("best_epoch"));
        Repeat made{candidate.seed, best, false, outcome.metrics};
        for (const EpochRecord& record : curves_.back())
            if (record.epoch == best)
                made.averaged = record.averaged_rmse > 0 &&
                                record.averaged_rmse < record.metrics.at("val_rmse");
        made_.push_back(std::move(made));
    }

    [[nodiscard]] const std::vector<Repeat>& made() const { return made_; }

  private:
    void report(int repeat, const std::vector<EpochRecord>& curve, bool trained) {
        curves_[std::size_t(repeat)] = curve;
        folder_->write_curve(curves_);
        const std::string which =
            training_.repeats > 1 ? fmt::format("repeat {}/{} | ", repeat + 1, training_.repeats)
                                  : std::string();
        const double now = steady_seconds();
        training_.say(
            trained ? fmt::format("{}{} | {:.1f} s", which,
                                  epoch_line(curve, training_.spec.training.epochs), now - since_)
                    : fmt::format("{}goes on after {}", which, plural(curve.size(), "epoch")));
        since_ = now;
    }

    void require_completed(const Outcome& outcome) const {
        if (outcome.status == Status::completed) return;
        if (outcome.status == Status::cancelled)
            throw Stopped(fmt::format("the training was stopped: {}", outcome.reason),
                          fmt::format("it is saved in '{}'", training_.out),
                          "the same command with --resume goes on with it");
        if (outcome.status == Status::lost)
            throw IoError(fmt::format("the training in '{}' could not go on: {}", training_.out,
                                      outcome.reason),
                          {}, "mend that; the same command with --resume goes on with it");
        throw ConfigError(
            fmt::format("the training failed: {}", outcome.reason), {},
            "lower --learning-rate (--lr-test suggests one), or train another design");
    }

    const FullTraining& training_;
    const OutputFolder* folder_;  ///< on the first rank
    std::vector<std::vector<EpochRecord>> curves_;
    std::vector<Repeat> made_;
    double since_ = 0;  ///< the beginning of the epoch
};

TrainedModel model_of(const FullTraining& training, std::vector<Repeat> repeats) {
    const TrainingSettings& settings = training.settings;
    const Catalogue& catalogue = settings.dataset->catalogue();
    TrainedModel model;
    model.spec = training.spec;
    model.chosen =
        std::size_t(std::min_element(repeats.begin(), repeats.end(),
                                     [](const Repeat& a, const Repeat& b) {
                                         return a.metrics.at("val_rmse") < b.metrics.at("val_rmse");
                                     }) -
                    repeats.begin());
    model.metrics = spread_over(repeats);
    model.repeats = std::move(repeats);
    model.dataset_digest = settings.dataset->digest();
    model.dataset_path = fs::absolute(settings.shards).lexically_normal().string();
    model.targets = catalogue.targets;
    model.rules = {settings.margin,
                   settings.short_lines,
                   settings.shortest_line,
                   settings.validation_windows,
                   settings.data_seed,
                   settings.max_train_samples,
                   settings.max_validation_samples,
                   settings.augment,
                   catalogue.crop};
    model.from_run_dir = training.from.run_dir;
    model.from_id = training.from.id;
    model.from_objectives = training.from.objectives;
    model.promise = training.from.promise;
    return model;
}

Options all_options(const FullTraining& training, const Communicator& world) {
    Options options = training.options;
    options["spec"] = training.spec.identity().hex();
    options["data"] = training.settings.dataset->digest();
    options["seed"] = std::to_string(training.seed);
    options["repeats"] = std::to_string(training.repeats);
    options["ranks"] = std::to_string(world.size());
    return options;
}

}  // namespace

bool holds_training(const std::string& folder) {
    return holds_trained_model(folder) || fs::exists(options_file(folder));
}

TrainedModel train_fully(const FullTraining& training, const Communicator& world,
                         const CancelToken& token) {
    EDGELOOP_EXPECT(training.settings.dataset != nullptr, "a full training is given its dataset");
    EDGELOOP_EXPECT(training.repeats > 0, "a full training has a repeat");
    const bool leads = world.rank() == 0;
    std::unique_ptr<OutputFolder> folder;
    TrainedModel model;
    std::string finished;
    world.agree("opening the folder", [&] {
        if (!leads) return;
        folder = std::make_unique<OutputFolder>(training, all_options(training, world));
        if (!folder->finished()) return;
        finished = "finished";
        model = TrainedModel::load(training.out);
    });
    world.broadcast(finished, 0);
    if (!finished.empty()) {
        if (leads) training.say(fmt::format("the training in '{}' is finished", training.out));
        return model;
    }
    Repeats repeats(training, folder.get());
    for (int repeat = 0; repeat < training.repeats; ++repeat) repeats.train(repeat, world, token);
    world.agree("writing the model", [&] {
        model = model_of(training, repeats.made());
        if (leads) folder->finish(model);
    });
    return model;
}

}  // namespace edgeloop
