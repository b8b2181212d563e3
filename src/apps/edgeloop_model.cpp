#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/data/tensor_file.hpp"
#include "edgeloop/model/benchmark.hpp"
#include "edgeloop/model/onnx.hpp"
#include "edgeloop/model/reference_check.hpp"
#include "edgeloop/model/threads.hpp"

#include <algorithm>
#include <new>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

constexpr int first_option = 2;  // argv[1] is the subcommand

void add_spec(cli::OptionParser& parser, std::string& spec) {
    parser.add("spec", &spec, "design: a JSON file, or a shipped one by name, e.g. human",
               needed_text());
}

void add_device(cli::OptionParser& parser, Processor& processor) {
    parser.add("device",
               cli::spelled(&processor, {{"cpu", Processor::cpu}, {"cuda", Processor::cuda}}),
               "where to run the network");
}

/// @param fused  the fused kernels are asked for.
void check_kernels(bool fused, Processor processor) {
    if (fused && processor == Processor::cuda)
        throw ConfigError("the fused kernels are for CPUs", {}, "use another of --kernels");
}

double mib(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }
double million(std::int64_t count) { return static_cast<double>(count) / 1e6; }

Json to_json(const ModelCounts& counts) {
    Json layers = Json::array();
    for (const LayerCounts& layer : counts.layers)
        layers.push_back({{"name", layer.name},
                          {"kind", layer.kind},
                          {"shape", layer.shape},
                          {"parameters", layer.parameters},
                          {"flops", layer.flops},
                          {"training_bytes", layer.saved_bytes},
                          {"inference_bytes", layer.working_bytes}});
    return {{"layers", layers},
            {"parameters", counts.parameters},
            {"flops", counts.flops},
            {"matrix_flops", counts.matrix_flops},
            {"convolution_flops", counts.convolution_flops},
            {"weight_bytes", counts.weight_bytes},
            {"training_activation_bytes", counts.training_activation_bytes},
            {"inference_activation_bytes", counts.inference_activation_bytes}};
}

void print_table(const ModelCounts& counts) {
    constexpr const char* row = "{:<34} {:<24} {:>18} {:>12} {:>12} {:>10} {:>10}\n";
    const auto shown = [](double value) { return fmt::format("{:.2f}", value); };
    fmt::print(row, "layer", "kind", "output", "parameters", "MFLOP", "train MiB", "infer MiB");
    for (const LayerCounts& layer : counts.layers)
        fmt::print(row, layer.name, layer.kind, fmt::format("{}", fmt::join(layer.shape, "x")),
                   layer.parameters, shown(million(layer.flops)), shown(mib(layer.saved_bytes)),
                   shown(mib(layer.working_bytes)));
    fmt::print(row, "total", "", "", counts.parameters, shown(million(counts.flops)),
               shown(mib(counts.training_activation_bytes)),
               shown(mib(counts.inference_activation_bytes)));
    fmt::print(
        "\nparameters              {:.2f} M ({:.1f} MiB)\n"
        "matrix products         {:.3f} GFLOP per clip (2 per multiply-add)\n"
        "convolutions            {:.3f} GFLOP per clip\n"
        "activations, training   {:.1f} MiB per clip, kept for the backward pass\n"
        "activations, inference  {:.1f} MiB per clip, largest set alive at once\n",
        million(counts.parameters), mib(counts.weight_bytes), million(counts.matrix_flops) / 1e3,
        million(counts.convolution_flops) / 1e3, mib(counts.training_activation_bytes),
        mib(counts.inference_activation_bytes));
}

int describe_command(int argc, const char* const* argv) {
    std::string spec;
    bool json = false;
    cli::OptionParser parser(
        "edgeloop-model describe",
        "Prints what each layer of a design costs: parameters, FLOPs, memory.");
    add_spec(parser, spec);
    parser.add("json", &json, "print JSON instead of a table");
    if (!parser.parse(argc, argv, first_option)) return 0;
    const ModelCounts counts = count(ArchitectureSpec::from_file(spec));
    if (json)
        fmt::print("{}\n", to_json(counts).dump(2));
    else
        print_table(counts);
    return 0;
}

Reference read_reference(const std::string& path) {
    const TensorFile file(path);
    const auto architecture = file.text_attribute("architecture");
    if (!architecture) throw ConfigError(path + ": attribute 'architecture' is missing");
    Reference reference;
    reference.architecture = parse_json(*architecture, path + ": attribute 'architecture'");
    reference.parameters = file.read_group("parameters");
    reference.gradients = file.read_group("gradients");
    reference.input = file.require("input");
    reference.output = file.require("output");
    reference.target = file.read("target");
    reference.loss = file.read("loss");
    return reference;
}

/// Prints each comparison and returns how many failed.
std::ptrdiff_t report(const std::vector<Comparison>& comparisons, Kernels kernels,
                      Processor processor) {
    fmt::print("{} kernels on {}\n{:<58} {:>14} {:>10}\n", to_string(kernels), to_string(processor),
               "quantity", "relative error", "tolerance");
    for (const Comparison& c : comparisons)
        fmt::print("{:<58} {:>14.2e} {:>10.0e}{}\n", c.name, c.relative_error, c.tolerance,
                   c.passed() ? "" : "  BEYOND");
    return std::count_if(comparisons.begin(), comparisons.end(),
                         [](const Comparison& c) { return !c.passed(); });
}

int check_command(int argc, const char* const* argv) {
    std::string file, wanted = "all";
    Processor processor = Processor::cpu;
    cli::OptionParser parser("edgeloop-model check",
                             "Compares outputs, loss and gradients with those an independent "
                             "implementation wrote; exits with 2 beyond the tolerances.");
    parser.add("reference", &file, "HDF5 file with parameters, input and results", needed_text());
    parser.add("kernels", &wanted, "implementation of the layers; fused: for CPUs only",
               one_of({"fused", "plain", "library", "all"}));
    add_device(parser, processor);
    if (!parser.parse(argc, argv, first_option)) return 0;
    check_kernels(wanted == "fused", processor);
    const Reference reference = read_reference(file);
    std::ptrdiff_t failures = 0;
    for (const Kernels kernels : all_kernels) {
        const bool exists = kernels != Kernels::fused || processor == Processor::cpu;
        if (exists && (wanted == "all" || wanted == to_string(kernels)))
            failures += report(check_reference(reference, kernels, processor), kernels, processor);
    }
    if (failures > 0)
        throw ConfigError(
            fmt::format("{}: {} quantities differ beyond the tolerance", file, failures));
    fmt::print("all within the tolerances: output{}, {}\n", reference.loss ? ", loss" : "",
               reference.gradients.empty()
                   ? std::string("no gradients in the file")
                   : fmt::format("{} gradients", reference.gradients.size()));
    return 0;
}

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
                                       {"plain", Kernels::plain}}),
               "implementation of the layers; auto: fused on the CPU, library on CUDA");
    parser.add("mixed-precision", &settings.mixed_precision, "matrix products in bfloat16");
    parser.add("warm-up", &settings.warm_up, "untimed runs before the timed ones", at_least(0));
    parser.add("repetitions", &settings.repetitions, "timed runs", at_least(1));
    parser.add("json", &json, "print JSON instead of text");
    if (!parser.parse(argc, argv, first_option)) return 0;
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

int export_command(int argc, const char* const* argv) {
    std::string design, weights, output;
    int batch = 1;
    cli::OptionParser parser("edgeloop-model export",
                             "Writes a network as an ONNX file (operator set 17, float32) for ONNX "
                             "Runtime, TensorRT and others.");
    add_spec(parser, design);
    parser.add("weights", &weights,
               "safetensors file, as edgeloop-search --save-weights writes it; default: random "
               "weights");
    parser.add("batch", &batch, "batch size, fixed in the file", between(1, 4096));
    parser.add("output", &output, "file to write", needed_text());
    if (!parser.parse(argc, argv, first_option)) return 0;
    const auto spec = ArchitectureSpec::from_file(design);
    std::string model;
    try {
        model = export_onnx(spec, weights, batch);
    } catch (const std::bad_alloc&) {
        throw IoError(fmt::format("not enough memory to export '{}'", design), {},
                      "use a smaller --batch");
    }
    write_file_atomic(output, model);
    fmt::print("{}: clips ({}, 1, {}, {}, {}) of (grey / 255 - {}) / {} to targets, {:.2f} MiB{}\n",
               output, batch, spec.clip.frames, spec.clip.side, spec.clip.side, spec.clip.mean,
               spec.clip.deviation, static_cast<double>(model.size()) / (1 << 20),
               weights.empty() ? ", random weights" : "");
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    using namespace edgeloop;
    restart_with_short_spinning(argv);
    return run_program([&] {
        return cli::run_subcommand(
            "edgeloop-model", "Describes, checks, times and exports single networks.",
            {{"describe", "what each layer of a design costs", describe_command},
             {"check", "compare with a reference file", check_command},
             {"benchmark", "time a design against its matrix products", benchmark_command},
             {"export", "write a network as an ONNX file", export_command}},
            argc, argv);
    });
}
