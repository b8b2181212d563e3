// Is the generated data learnable, and not trivially so? See README.md beside this file.
#include "apps/data/synth.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/data/loader.hpp"
#include "edgeloop/data/shard.hpp"
#include "edgeloop/preprocessing/frames.hpp"
#include "edgeloop/training/trainer.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <vector>

namespace edgeloop {
namespace {

struct LearnabilityOptions {
    std::string folder;
    int objects = 6, layers = 8, lines = 40, epochs = 12, threads = 1;
    std::uint64_t seed = 1;
};

constexpr int frames = 8;
constexpr std::size_t degree = 5, terms = degree + 1;

/// Mean grey value of a window, and what to predict from it.
struct Sample {
    double grey = 0;
    std::array<double, 2> target{};
};

std::vector<Sample> samples_of(const std::string& shards, SplitPart part) {
    LoaderOptions options;
    options.part = part;
    options.window = WindowRule::published(frames, 1);
    Loader loader(std::make_shared<const Dataset>(shards), options);
    loader.start_epoch(0);
    std::vector<Sample> samples;
    Batch batch;
    while (loader.next(batch)) {
        const std::size_t window = std::size_t(frames) * crop_pixels;
        for (std::size_t i = 0; i < batch.samples; ++i) {
            const std::uint8_t* pixels = batch.pixels.data() + i * window;
            const double sum = std::accumulate(pixels, pixels + window, 0.0);
            samples.push_back({sum / double(window) / 100,
                               {double(batch.targets[2 * i]), double(batch.targets[2 * i + 1])}});
        }
    }
    return samples;
}

/// Solves a small linear system by elimination with pivoting.
std::array<double, terms> solve(std::array<std::array<double, terms + 1>, terms> rows) {
    for (std::size_t column = 0; column < terms; ++column) {
        std::size_t pivot = column;
        for (std::size_t row = column + 1; row < terms; ++row)
            if (std::abs(rows[row][column]) > std::abs(rows[pivot][column])) pivot = row;
        std::swap(rows[column], rows[pivot]);
        for (std::size_t row = 0; row < terms; ++row) {
            if (row == column) continue;
            const double factor = rows[row][column] / rows[column][column];
            for (std::size_t k = column; k <= terms; ++k) rows[row][k] -= factor * rows[column][k];
        }
    }
    std::array<double, terms> solution{};
    for (std::size_t i = 0; i < terms; ++i) solution[i] = rows[i][terms] / rows[i][i];
    return solution;
}

/// Least-squares polynomial of one target over the mean grey value.
std::array<double, terms> fit(const std::vector<Sample>& samples, std::size_t target) {
    std::array<std::array<double, terms + 1>, terms> normal{};
    for (const Sample& sample : samples)
        for (std::size_t row = 0; row < terms; ++row) {
            const double power = std::pow(sample.grey, double(row));
            for (std::size_t column = 0; column < terms; ++column)
                normal[row][column] += power * std::pow(sample.grey, double(column));
            normal[row][terms] += power * sample.target[target];
        }
    return solve(normal);
}

double r2_of(const std::array<double, terms>& polynomial, const std::vector<Sample>& samples,
             std::size_t target) {
    double mean = 0, residual = 0, total = 0;
    for (const Sample& sample : samples) mean += sample.target[target] / double(samples.size());
    for (const Sample& sample : samples) {
        double predicted = 0;
        for (std::size_t i = terms; i-- > 0;) predicted = predicted * sample.grey + polynomial[i];
        residual += std::pow(sample.target[target] - predicted, 2);
        total += std::pow(sample.target[target] - mean, 2);
    }
    return 1 - residual / total;
}

Json mean_intensity_model(const std::string& shards) {
    const auto train = samples_of(shards, SplitPart::train);
    const auto held_out = samples_of(shards, SplitPart::validation);
    return {{"r2_speed", r2_of(fit(train, 0), held_out, 0)},
            {"r2_power", r2_of(fit(train, 1), held_out, 1)}};
}

Json small_cnn3d(const LearnabilityOptions& options, const std::string& shards) {
    const Json spec = {{"family", "cnn3d"},
                       {"architecture",
                        {{"stages",
                          {{{"channels", 8}, {"kernel", {3, 5, 5}}, {"pool", {1, 2, 2}}},
                           {{"channels", 16}, {"kernel", {3, 3, 3}}, {"pool", {2, 2, 2}}},
                           {{"channels", 32}, {"kernel", {3, 3, 3}}, {"pool", {2, 2, 2}}}}},
                         {"hidden", {64}},
                         {"reduce", "flatten"}}},
                       {"clip", {{"frames", frames}, {"stride", 1}, {"side", crop_side}}},
                       {"training",
                        {{"learning_rate", 2e-3},
                         {"batch", 16},
                         {"epochs", options.epochs},
                         {"schedule", "cosine"}}}};
    Candidate candidate;
    candidate.id = 1;
    candidate.design = Design::of(ArchitectureSpec::from_json(spec, "experiment"));
    candidate.seed = options.seed;
    candidate.epochs = options.epochs;
    TrainingSettings settings;
    settings.shards = shards;
    settings.data_seed = options.seed;
    settings.augment = true;
    settings.threads = options.threads;
    const Outcome outcome = Trainer(settings).train(candidate, Communicator(), CancelToken());
    if (outcome.status != Status::completed)
        throw IoError("the network was not trained", outcome.reason);
    Json result = outcome.metrics;
    result["seconds"] = outcome.seconds;
    result["spec"] = spec;
    return result;
}

int run(int argc, const char* const* argv) {
    LearnabilityOptions options;
    cli::OptionParser parser("data-learnability",
                             "trains a small cnn3d on generated data; prints JSON.");
    parser.add("folder", &options.folder, "folder for generated recordings and shards");
    parser.add("objects", &options.objects, "objects; whole ones are held out");
    parser.add("layers", &options.layers, "layers of each object");
    parser.add("lines", &options.lines, "scan lines of each layer");
    parser.add("epochs", &options.epochs, "epochs of training");
    parser.add("threads", &options.threads, "threads of tensor operations");
    parser.add("seed", &options.seed, "of data, split and training");
    if (!parser.parse(argc, argv)) return 0;
    if (options.folder.empty()) throw ConfigError("no folder was given", {}, "add --folder DIR");
    SynthOptions synth;
    synth.version = 1;  // as when the figures were taken
    synth.output = options.folder + "/raise";
    synth.objects = options.objects;
    synth.layers = options.layers;
    synth.lines = options.lines;
    synth.seed = options.seed;
    ShardOptions shard;
    shard.input = synthesise(synth);
    shard.output = options.folder + "/shards";
    shard.split.mode = SplitMode::object;
    shard.split.seed = options.seed;
    shard.split.validation_fraction = 0.3;
    shard.force = true;
    const Catalogue catalogue = make_shards(shard);
    const Json result = {
        {"experiment", "learnability"},
        {"train_lines", catalogue.part(SplitPart::train).lines},
        {"held_out_lines", catalogue.part(SplitPart::validation).lines},
        {"mean_predictor_val_rmse", mean_predictor_rmse(catalogue, SplitPart::validation)},
        {"mean_intensity_model", mean_intensity_model(shard.output)},
        {"small_cnn3d", small_cnn3d(options, shard.output)}};
    std::printf("%s\n", result.dump(1).c_str());
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::run(argc, argv); });
}
