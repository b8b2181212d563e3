// Does anything but the melt pool give the answer away, and can a network learn from it? See
// README.md beside this file.
#include "apps/data/synth.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/data/baselines.hpp"
#include "edgeloop/data/pixel_statistics.hpp"
#include "edgeloop/data/shard.hpp"
#include "edgeloop/training/trainer.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

struct LearnabilityOptions {
    std::string folder;
    int objects = 16, layers = 6, lines = 25, epochs = 40, recipe_epochs = 4, seeds = 3;
    int threads = 1;
    std::uint64_t seed = 1;
    bool leaks_only = false;
    std::string change = "{}";  ///< of the spec of every network
};

using DatasetPtr = std::shared_ptr<const Dataset>;

/// R² of speed on held-out objects from one number that is not of the pool.
struct Leak {
    const char* name;
    double (*feature)(const Sample& line, const WindowRule& rule);
};

double speed_of(const Sample& line) { return 900 * double(line.targets[0]); }

const Leak leaks[] = {
    {"frames in the window",
     [](const Sample& line, const WindowRule& rule) {
         return double(rule.frames) - double(rule.padded(line.frames));
     }},
    {"padded frames",
     [](const Sample& line, const WindowRule& rule) { return double(rule.padded(line.frames)); }},
    {"length of the line in mm",
     [](const Sample& line, const WindowRule&) {
         return double(line.frames) * speed_of(line) / 20000;
     }},
};

std::vector<WindowFacts> facts_of_feature(const Dataset& data, SplitPart part,
                                          const WindowRule& rule, const Leak& leak) {
    std::vector<WindowFacts> facts;
    for (const Sample& line : data.samples(part)) {
        if (!rule.uses(line.frames)) continue;
        WindowFacts window;
        window.group = std::size_t(line.number) / 30;  // roughly a layer
        window.frames = leak.feature(line, rule);
        window.targets = line.targets;
        facts.push_back(window);
    }
    return facts;
}

/// For every window of the shipped spaces.
Json leaks_of(const Dataset& data) {
    Json rows = Json::array();
    for (const int stride : {1, 2, 4})
        for (const int frames : {8, 12, 16, 32}) {
            const WindowRule rule{frames, stride, WindowRule().margin, ShortLines::skip, 0};
            Json row = {{"frames", frames}, {"stride", stride}};
            for (const Leak& leak : leaks) {
                const auto train = facts_of_feature(data, SplitPart::train, rule, leak);
                const auto held_out = facts_of_feature(data, SplitPart::validation, rule, leak);
                row["lines"] = train.size();
                row["held_out"] = held_out.size();
                if (train.size() < 50 || held_out.size() < 50) continue;
                // "frames in the window" stands for the feature.
                for (const Baseline& one : baselines(train, held_out, 2))
                    if (one.name == "frames in the window") row[leak.name] = one.r2[0];
            }
            rows.push_back(row);
        }
    return rows;
}

Json baselines_of(const Dataset& data, int frames) {
    Json table;
    for (const Baseline& one :
         baselines(data, {frames, 1, WindowRule().margin, ShortLines::skip, 0}))
        table[one.name] = {{"rmse", one.rmse}, {"target_rmse", one.target_rmse}, {"r2", one.r2}};
    return table;
}

/// How a training differs from the recipe that is shipped.
struct Variant {
    std::string name = "as shipped";
    Json patch = Json::object();  ///< of the spec
    bool augment = true, start_at_mean = true;
};

/// At most 10 MFLOP a clip; `patches` change the spec, the last one wins.
DesignPtr small_cnn3d(const Dataset& data, int frames, int epochs,
                      const std::vector<Json>& patches) {
    const Normalisation grey = pixel_statistics(data);
    const int pool = frames >= 8 ? 2 : 1;
    Json spec = {{"family", "cnn3d"},
                 {"architecture",
                  {{"stages",
                    {{{"channels", 6}, {"kernel", {3, 3, 3}}, {"pool", {2, 2, 2}}},
                     {{"channels", 12}, {"kernel", {3, 3, 3}}, {"pool", {pool, 2, 2}}},
                     {{"channels", 24}, {"kernel", {3, 3, 3}}, {"pool", {1, 2, 2}}}}},
                   {"hidden", {32}},
                   {"norm", "group"},
                   {"reduce", "flatten"}}},
                 {"clip",
                  {{"frames", frames},
                   {"stride", 1},
                   {"side", 24},
                   {"mean", grey.mean},
                   {"deviation", grey.deviation}}},
                 {"training",
                  {{"optimizer", "adamw"},
                   {"learning_rate", 5e-3},
                   {"weight_decay", 1e-3},
                   {"batch", 8},
                   {"epochs", epochs},
                   {"schedule", "one-cycle"}}}};
    for (const Json& patch : patches) spec.merge_patch(patch);
    return Design::of(ArchitectureSpec::from_json(spec, "experiment"));
}

Json trained(const LearnabilityOptions& options, const DatasetPtr& data, int frames, int epochs,
             const Variant& variant = {}) {
    const DesignPtr design =
        small_cnn3d(*data, frames, epochs, {parse_json(options.change, "--change"), variant.patch});
    Json rows = Json::array();
    for (int seed = 1; seed <= options.seeds; ++seed) {
        Candidate candidate;
        candidate.id = std::uint64_t(seed);
        candidate.design = design;
        candidate.seed = std::uint64_t(seed);
        candidate.epochs = epochs;
        TrainingSettings settings;
        settings.dataset = data;
        settings.data_seed = std::uint64_t(seed);
        settings.augment = variant.augment;
        settings.start_at_mean = variant.start_at_mean;
        settings.threads = options.threads;
        const Outcome outcome = Trainer(settings).train(candidate, Communicator(), CancelToken());
        if (outcome.status != Status::completed)
            throw IoError("the network was not trained", outcome.reason);
        Json row = outcome.metrics;
        row["seconds"] = outcome.seconds;
        std::fprintf(stderr, "%s, %d frames, seed %d: %s\n", variant.name.c_str(), frames, seed,
                     row.dump().c_str());
        rows.push_back(std::move(row));
    }
    return {{"variant", variant.name},
            {"frames", frames},
            {"mflop", double(design->counts().flops) / 1e6},
            {"baselines", baselines_of(*data, frames)},
            {"trainings", rows}};
}

/// What each part of the recipe is worth in a short training, where it counts most.
Json recipes(const LearnabilityOptions& options, const DatasetPtr& data) {
    const Json published = {{"clip", {{"mean", 0.45}, {"deviation", 0.225}}}};
    const auto schedule = [](const char* name) { return Json{{"training", {{"schedule", name}}}}; };
    const Json old = {{"clip", published.at("clip")},
                      {"training", {{"optimizer", "adam"}, {"schedule", "cosine"}}}};
    Json rows = Json::array();
    for (const Variant& variant :
         {Variant(), Variant{"published normalisation", published},
          Variant{"cosine", schedule("cosine")}, Variant{"constant rate", schedule("constant")},
          Variant{"no augmentation", Json::object(), false},
          Variant{"outputs begin at 0", Json::object(), true, false},
          Variant{"none of these", old, false, false}})
        rows.push_back(trained(options, data, 8, options.recipe_epochs, variant));
    return rows;
}

SynthOptions synth_options(const LearnabilityOptions& options, const std::string& name) {
    SynthOptions synth;
    synth.output = options.folder + "/" + name;
    synth.objects = options.objects;
    synth.layers = options.layers;
    synth.lines = options.lines;
    synth.seed = options.seed;
    return synth;
}

DatasetPtr shards_of(const LearnabilityOptions& options, const std::vector<std::string>& files,
                     const std::string& name, double held_out, std::uint64_t split_seed) {
    ShardOptions shard;
    shard.input = files;
    shard.output = options.folder + "/" + name;
    shard.split = {SplitMode::object, split_seed, held_out, 0};
    shard.force = true;
    (void)make_shards(shard);
    return std::make_shared<const Dataset>(shard.output);
}

/// Objects of one half of the drift for training, of the other half for validation.
DatasetPtr drift_halves(const LearnabilityOptions& options) {
    SynthOptions low = synth_options(options, "low");
    low.objects = options.objects / 2;
    low.drift = {0, 0.5};
    SynthOptions high = synth_options(options, "high");
    high.objects = low.objects;
    high.drift = {0.5, 1};
    high.seed = options.seed + 1000;
    std::vector<std::string> files = synthesise(low);
    std::vector<SplitLayer> units;
    for (const std::string& file : files)
        units.push_back({std::filesystem::path(file).stem(), "layer0001", file});
    for (const std::string& file : synthesise(high)) {
        // Objects are told apart by the names of their files.
        const std::filesystem::path path(file);
        const std::string name = "D" + path.stem().string().substr(1);
        std::filesystem::rename(path, path.parent_path() / (name + ".hdf5"));
        files.push_back(path.parent_path() / (name + ".hdf5"));
        units.push_back({name, "layer0001", files.back()});
    }
    SplitOptions split{SplitMode::object, 0, 0.5, 0};
    const auto separates = [&] {
        const std::vector<SplitPart> parts = split_layers(units, split);
        for (std::size_t i = 0; i < parts.size(); ++i)
            if ((units[i].object[0] == 'D') != (parts[i] == SplitPart::validation)) return false;
        return true;
    };
    while (!separates()) ++split.seed;
    return shards_of(options, files, "halves-shards", 0.5, split.seed);
}

int run(int argc, const char* const* argv) {
    LearnabilityOptions options;
    cli::OptionParser parser(
        "data-learnability",
        "what gives the targets of generated data away, and what a small cnn3d "
        "learns of them; prints JSON.");
    parser.add("folder", &options.folder, "folder for generated recordings and shards");
    parser.add("objects", &options.objects, "objects; a quarter is held out");
    parser.add("layers", &options.layers, "layers of each object");
    parser.add("lines", &options.lines, "scan lines of each layer");
    parser.add("epochs", &options.epochs, "epochs of training", at_least(1));
    parser.add("recipe-epochs", &options.recipe_epochs,
               "epochs of each training that compares recipes; 0: compare none");
    parser.add("change", &options.change, "what of every network's spec is another, as JSON");
    parser.add("seeds", &options.seeds, "trainings of each network");
    parser.add("threads", &options.threads, "threads of tensor operations");
    parser.add("seed", &options.seed, "of the data and their split");
    parser.add("leaks-only", &options.leaks_only, "train nothing");
    if (!parser.parse(argc, argv)) return 0;
    if (options.folder.empty()) throw ConfigError("no folder was given", {}, "add --folder DIR");
    const DatasetPtr data = shards_of(options, synthesise(synth_options(options, "raise")),
                                      "shards", 0.25, options.seed);
    Json result = {{"experiment", "learnability"},
                   {"train_lines", data->samples(SplitPart::train).size()},
                   {"held_out_lines", data->samples(SplitPart::validation).size()},
                   {"leaks", leaks_of(*data)}};
    if (!options.leaks_only) {
        if (options.recipe_epochs > 0) result["recipes"] = recipes(options, data);
        for (const int frames : {4, 8, 16})
            result["networks"].push_back(trained(options, data, frames, options.epochs));
        result["other_half_of_the_drift"] =
            trained(options, drift_halves(options), 16, options.epochs);
    }
    std::printf("%s\n", result.dump(1).c_str());
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::run(argc, argv); });
}
