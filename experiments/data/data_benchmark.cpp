// Speed of the data path: see README.md beside this file.
#include "apps/data/synth.hpp"
#include "per_sample_path.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/data/loader.hpp"
#include "edgeloop/data/shard.hpp"

#include <cstdio>
#include <functional>
#include <thread>

namespace edgeloop {
namespace {

struct BenchmarkOptions {
    std::string folder;
    int lines = 250;
    int rounds = 7;
    double seconds = 0.4;
};

constexpr int frames = 16;

/// Runs `work`, which returns the samples it did, for at least `seconds`; samples per second.
double rate_of(double seconds, const std::function<std::size_t()>& work) {
    std::size_t samples = 0;
    const double start = steady_seconds();
    double now = start;
    while (now - start < seconds) {
        samples += work();
        now = steady_seconds();
    }
    return double(samples) / (now - start);
}

/// Walks through epochs, batch by batch.
class WindowSource {
  public:
    explicit WindowSource(const std::string& shards)
        : loader_(std::make_shared<const Dataset>(shards), options()) {}

    const Batch& next() {
        while (epoch_ < 0 || !loader_.next(batch_)) loader_.start_epoch(++epoch_);
        return batch_;
    }

  private:
    static LoaderOptions options() {
        LoaderOptions options;
        options.window = WindowRule::published(frames, 1);
        options.prefetch = 0;  // everything in the calling thread
        return options;
    }

    Loader loader_;
    Batch batch_;
    int epoch_ = -1;
};

/// One configuration of the recordings: how their frames are stored.
Json measure(const BenchmarkOptions& options, const std::string& name, int deflate) {
    SynthOptions synth;
    synth.version = 1;  // as when the figures were taken
    synth.output = options.folder + "/" + name;
    synth.objects = 2;
    synth.layers = 4;
    synth.lines = options.lines;
    synth.deflate = deflate;
    ShardOptions shard;
    shard.input = synthesise(synth);
    shard.output = options.folder + "/" + name + "-shards";
    shard.force = true;
    (void)make_shards(shard);

    WindowSource windows(shard.output);
    const std::vector<PerSamplePath::Line> lines = all_lines(shard.input);
    RandomStream random(1, "benchmark lines");
    std::vector<float> clips(std::size_t(8) * frames * 224 * 224);
    const auto fast = [&](int side) {
        return rate_of(options.seconds, [&] {
            const Batch& batch = windows.next();
            normalise_and_resize(batch, side, clips.data());
            return batch.samples;
        });
    };
    const auto slow = [&](int side) {
        const PerSamplePath path(frames, side);
        return rate_of(options.seconds, [&] {
            (void)path.load(lines[random.below(lines.size())], clips.data());
            return std::size_t(1);
        });
    };
    std::vector<double> window_rates, fast_64, fast_224, slow_64, slow_224;
    for (int round = 0; round < options.rounds; ++round) {  // interleaved: all see the same noise
        window_rates.push_back(rate_of(options.seconds, [&] { return windows.next().samples; }));
        fast_64.push_back(fast(64));
        slow_64.push_back(slow(64));
        fast_224.push_back(fast(224));
        slow_224.push_back(slow(224));
    }
    const auto compare = [](const std::vector<double>& ours, const std::vector<double>& plain) {
        return Json{{"clips_per_s", median(ours)},
                    {"per_sample_path_clips_per_s", median(plain)},
                    {"ratio", median(ours) / median(plain)}};
    };
    return {{"recordings", name},
            {"deflate", deflate},
            {"windows_per_s_and_thread", median(window_rates)},
            {"side_64", compare(fast_64, slow_64)},
            {"side_224", compare(fast_224, slow_224)}};
}

int run(int argc, const char* const* argv) {
    BenchmarkOptions options;
    cli::OptionParser parser("data-benchmark", "measures the data path; prints JSON.");
    parser.add("folder", &options.folder, "folder for generated recordings and shards");
    parser.add("lines", &options.lines, "scan lines of each of 8 layers");
    parser.add("rounds", &options.rounds, "rounds; medians over them are reported");
    parser.add("seconds", &options.seconds, "least time of one measurement");
    if (!parser.parse(argc, argv)) return 0;
    if (options.folder.empty()) throw ConfigError("no folder was given", {}, "add --folder DIR");
    if (options.rounds < 1) throw ConfigError("at least one round is needed");
    Json result = {{"benchmark", "data"},
                   {"build", build_description()},
                   {"threads", 1},
                   {"frames", frames},
                   {"rounds", options.rounds},
                   {"cores", std::thread::hardware_concurrency()},
                   {"results", Json::array()}};
    result["results"].push_back(measure(options, "uncompressed", 0));
    result["results"].push_back(measure(options, "deflate-4", 4));
    std::printf("%s\n", result.dump(1).c_str());
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::run(argc, argv); });
}
