// Does training wait for data? See README.md beside this file.
#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/data/loader.hpp"
#include "edgeloop/model/benchmark.hpp"

#include <cstdio>
#include <vector>

namespace edgeloop {
namespace {

constexpr int batch = 8, frames = 16, side = 224;

/// The smallest architecture of the published space.
ArchitectureSpec smallest_published() {
    return ArchitectureSpec::from_json({{"family", "swin3d"},
                                        {"architecture",
                                         {{"patch", {4, 4, 4}},
                                          {"embed_dim", 24},
                                          {"depths", {1, 1, 1, 1}},
                                          {"heads", {3, 3, 3, 3}},
                                          {"mlp_ratio", 1}}},
                                        {"clip", {{"frames", frames}, {"side", side}}}},
                                       "smallest published");
}

double step_ms(int threads) {
    BenchmarkSettings settings;
    settings.input = {batch, 1, frames, side, side};
    settings.pass = Pass::training_step;
    settings.threads = threads;
    settings.warm_up = 1;
    settings.repetitions = 5;
    return benchmark(smallest_published(), settings).median_ms;
}

/// Stands for a training step: keeps this core busy.
void compute_for(double milliseconds) {
    const double end = steady_seconds() + milliseconds / 1000;
    while (steady_seconds() < end) {
    }
}

Json replay(const std::string& shards, double step, int steps) {
    LoaderOptions options;
    options.batch = batch;
    options.window = WindowRule::published(frames, 1);
    options.side = side;
    Loader loader(std::make_shared<const Dataset>(shards), options);
    Batch data;
    double waited_s = 0;
    int epoch = -1;
    const double start = steady_seconds();
    for (int i = 0; i < steps; ++i) {
        const double before = steady_seconds();
        while (epoch < 0 || !loader.next(data)) loader.start_epoch(++epoch);
        waited_s += steady_seconds() - before;
        compute_for(step);
    }
    const double total_s = steady_seconds() - start;
    return {
        {"steps", steps}, {"training_step_ms", step}, {"data_percent", 100 * waited_s / total_s}};
}

int run(int argc, const char* const* argv) {
    std::string shards;
    int threads = 1, steps = 40;
    cli::OptionParser parser("data-wait", "share of a training step spent on data; prints JSON.");
    parser.add("shards", &shards, "folder of shards");
    parser.add("threads", &threads, "threads of the training step");
    parser.add("steps", &steps, "steps to replay");
    if (!parser.parse(argc, argv)) return 0;
    if (shards.empty()) throw ConfigError("no shards were given", {}, "add --shards DIR");
    const Json result = {
        {"experiment", "data wait"}, {"batch", batch},
        {"frames", frames},          {"side", side},
        {"threads", threads},        {"result", replay(shards, step_ms(threads), steps)}};
    std::printf("%s\n", result.dump(1).c_str());
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::run(argc, argv); });
}
