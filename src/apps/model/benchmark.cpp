#include "edgeloop/model/benchmark.hpp"

#include "commands.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/numbers.hpp"

#include <optional>
#include <sstream>

#include <fmt/format.h>

namespace edgeloop {
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

void print_text(const BenchmarkResult& result, const BenchmarkSettings& settings) {
    fmt::print(
        "median {:.2f} ms, p90 {:.2f} ms, least {:.2f} ms of {}\n"
        "floor  {:.2f} ms: {:.2f} GFLOP at {:.0f} GFLOP/s, the rate of a large matrix product\n"
        "ratio  {:.2f} ({:.2f} in processor time)\n"
        "memory {:.1f} MiB at most alive at once, without weights and input\n"
        "on {} with {} kernels{}\n",
        result.median_ms, result.p90_ms, result.min_ms, settings.repetitions, result.floor_ms,
        result.flops / 1e9, result.gemm_gflop_per_s, result.ratio, result.cpu_ratio,
        static_cast<double>(result.peak_bytes) / bytes_per_mib, to_string(settings.processor),
        to_string(settings.kernels),
        settings.mixed_precision ? " in bfloat16"
        : settings.frozen        ? " as frozen TorchScript"
                                 : "");
}

}  // namespace

int benchmark_command(int argc, const char* const* argv) {
    BenchmarkSettings settings;
    std::string design, input;
    std::optional<Kernels> kernels;
    bool train = false, json = false;
    cli::OptionParser parser("edgeloop-model benchmark",
                             "Times a design and compares it with the time its matrix products "
                             "alone would take.");
    add_spec(parser, design);
    parser.add("input", &input,
               "shape BATCHx1xFRAMESxHEIGHTxWIDTH, e.g. 1x1x16x64x64; default: one clip as the "
               "spec says");
    parser.add("threads", &settings.threads, "compute threads", at_least(1));
    parser.add("train", &train, "time a training step instead of a forward pass");
    add_device(parser, settings.processor);
    parser.add("kernels",
               cli::spelled(&kernels, {{"auto", std::nullopt},
                                       {"fused", Kernels::fused},
                                       {"library", Kernels::library},
                                       {"plain", Kernels::plain},
                                       {"exported", Kernels::exported}}),
               "implementation of the layers; auto: fused on the CPU, library on CUDA");
    parser.add(
        "frozen", &settings.frozen,
        "as a frozen TorchScript module; with --kernels exported it is what an exported file "
        "holds");
    parser.add(
        "back-to-back", &settings.back_to_back,
        "time the passes one right after the other, with caches as in a stream of clips, and the "
        "products ahead of them; otherwise a product goes before each pass");
    parser.add("mixed-precision", &settings.mixed_precision, "matrix products in bfloat16");
    parser.add("warm-up", &settings.warm_up, "untimed runs before the timed ones", at_least(0));
    parser.add("repetitions", &settings.repetitions, "timed runs", at_least(1));
    parser.add("json", &json, "print JSON instead of text");
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    check_kernels(kernels == Kernels::fused, settings.processor);
    const auto spec = ArchitectureSpec::from_file(design);
    settings.input = {1, 1, spec.clip.frames, spec.clip.side, spec.clip.side};
    if (!input.empty()) settings.input = shape_from(input);
    settings.kernels =
        kernels.value_or(settings.processor == Processor::cpu ? Kernels::fused : Kernels::library);
    settings.pass = train ? Pass::training_step : Pass::forward;
    const BenchmarkResult result = benchmark(spec, settings);
    if (json) {
        fmt::print("{}\n", to_json(result, settings).dump(2));
        return 0;
    }
    print_text(result, settings);
    return 0;
}

}  // namespace edgeloop
