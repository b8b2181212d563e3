#include "apps/model_commands.hpp"

#include "edgeloop/cli/model_options.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/model/benchmark.hpp"

#include <sstream>

#include <fmt/format.h>

namespace edgeloop::apps {
namespace {

/// Parses e.g. "1x1x16x224x224".
std::array<std::int64_t, 5> shape_from(const std::string& text) {
    std::array<std::int64_t, 5> shape{};
    std::istringstream stream(text);
    for (std::size_t i = 0; i < shape.size(); ++i) {
        char separator = 'x';
        if ((i > 0 && !(stream >> separator)) || separator != 'x' || !(stream >> shape[i]) ||
            shape[i] < 1 || shape[i] > 4096)
            throw ConfigError(fmt::format("--input '{}': must be BATCHx1xFRAMESxSIDExSIDE", text),
                              "", "e.g. 1x1x16x224x224");
    }
    if (stream.peek() != std::istringstream::traits_type::eof())
        throw ConfigError(fmt::format("--input '{}': has more than five dimensions", text));
    return shape;
}

}  // namespace

int benchmark_command(int argc, const char* const* argv) {
    cli::BenchmarkOptions options;
    if (!cli::parse(argc, argv, options)) return 0;
    const auto spec = ArchitectureSpec::from_file(options.spec);
    BenchmarkSettings settings;
    settings.input = {1, 1, spec.clip.frames, spec.clip.side, spec.clip.side};
    if (!options.input.empty()) settings.input = shape_from(options.input);
    settings.processor = options.device == "cuda" ? Processor::cuda : Processor::cpu;
    settings.kernels =
        kernels_from(options.kernels)
            .value_or(settings.processor == Processor::cpu ? Kernels::fused : Kernels::library);
    settings.mixed_precision = options.mixed_precision;
    settings.pass = options.train ? Pass::training_step : Pass::forward;
    settings.threads = options.threads;
    settings.warm_up = options.warm_up;
    settings.repetitions = options.repetitions;
    const BenchmarkResult result = benchmark(spec, settings);
    if (options.json) {
        fmt::print("{}\n", to_json(result, settings).dump(2));
        return 0;
    }
    fmt::print(
        "median {:.2f} ms, p90 {:.2f} ms, least {:.2f} ms of {}\n"
        "floor  {:.2f} ms: {:.2f} GFLOP at {:.0f} GFLOP/s, the rate of a large matrix product\n"
        "ratio  {:.2f} ({:.2f} in processor time)\n"
        "memory {:.1f} MiB at most alive at once, without weights and input\n"
        "on {} with {} kernels{}\n",
        result.median_ms, result.p90_ms, result.min_ms, settings.repetitions, result.floor_ms,
        result.flops / 1e9, result.gemm_gflop_per_s, result.ratio, result.cpu_ratio,
        static_cast<double>(result.peak_bytes) / (1 << 20), to_string(settings.processor),
        to_string(settings.kernels), settings.mixed_precision ? " in bfloat16" : "");
    return 0;
}

}  // namespace edgeloop::apps
