#include "edgeloop/cli/model_options.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <initializer_list>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::cli {
namespace {

constexpr int first_option = 2;  // argv[1] is the subcommand

void require(const std::string& name, const std::string& value) {
    if (value.empty()) throw ConfigError(fmt::format("--{} is required", name));
}

void require_one_of(const std::string& name, const std::string& value,
                    std::initializer_list<const char*> choices) {
    if (std::find(choices.begin(), choices.end(), value) == choices.end())
        throw ConfigError(
            fmt::format("--{} '{}' is not one of: {}", name, value, fmt::join(choices, ", ")));
}

void require_device(const std::string& device, const std::string& kernels) {
    require_one_of("device", device, {"cpu", "cuda"});
    if (device == "cuda" && kernels == "fused")
        throw ConfigError("the fused kernels are for CPUs", {}, "use another of --kernels");
}

void require_at_least(const std::string& name, int value, int least) {
    if (value < least)
        throw ConfigError(fmt::format("--{} is {}, but must be at least {}", name, value, least));
}

}  // namespace

bool parse(int argc, const char* const* argv, DescribeOptions& options) {
    OptionParser parser("edgeloop-model describe",
                        "Prints what each layer of a design costs: parameters, FLOPs, memory.");
    parser.add("spec", &options.spec, "design: a JSON file, or a shipped one by name, e.g. human");
    parser.add("json", &options.json, "print JSON instead of a table");
    if (!parser.parse(argc, argv, first_option)) return false;
    require("spec", options.spec);
    return true;
}

bool parse(int argc, const char* const* argv, CheckOptions& options) {
    OptionParser parser("edgeloop-model check",
                        "Compares outputs, loss and gradients with those an independent "
                        "implementation wrote; exits with 2 beyond the tolerances.");
    parser.add("reference", &options.reference, "HDF5 file with parameters, input and results");
    parser.add("kernels", &options.kernels,
               "implementation to check: fused, plain, library or all");
    parser.add("device", &options.device, "check on: cpu or cuda, which has no fused kernels");
    if (!parser.parse(argc, argv, first_option)) return false;
    require("reference", options.reference);
    require_one_of("kernels", options.kernels, {"fused", "plain", "library", "all"});
    require_device(options.device, options.kernels);
    return true;
}

bool parse(int argc, const char* const* argv, BenchmarkOptions& options) {
    OptionParser parser("edgeloop-model benchmark",
                        "Times a design and compares it with the time its matrix products alone "
                        "would take.");
    parser.add("spec", &options.spec, "design: a JSON file, or a shipped one by name, e.g. human");
    parser.add("input", &options.input,
               "shape BATCHx1xFRAMESxHEIGHTxWIDTH; default: one clip as the spec says");
    parser.add("threads", &options.threads, "compute threads");
    parser.add("train", &options.train, "time a training step instead of a forward pass");
    parser.add("kernels", &options.kernels,
               "implementation to time: auto (fused on the CPU, library on CUDA), fused, plain or "
               "library");
    parser.add("device", &options.device, "time on: cpu or cuda");
    parser.add("mixed-precision", &options.mixed_precision, "matrix products in bfloat16");
    parser.add("warm-up", &options.warm_up, "untimed runs before the timed ones");
    parser.add("repetitions", &options.repetitions, "timed runs");
    parser.add("json", &options.json, "print JSON instead of text");
    if (!parser.parse(argc, argv, first_option)) return false;
    require("spec", options.spec);
    require_one_of("kernels", options.kernels, {"auto", "fused", "plain", "library"});
    require_device(options.device, options.kernels);
    require_at_least("threads", options.threads, 1);
    require_at_least("warm-up", options.warm_up, 0);
    require_at_least("repetitions", options.repetitions, 1);
    return true;
}

bool parse(int argc, const char* const* argv, ExportOptions& options) {
    OptionParser parser("edgeloop-model export",
                        "Writes a network as an ONNX file (operator set 17, float32) for ONNX "
                        "Runtime, TensorRT and others.");
    parser.add("spec", &options.spec, "design: a JSON file, or a shipped one by name, e.g. human");
    parser.add("weights", &options.weights,
               "safetensors file, as edgeloop-search --save-weights writes them; none: random");
    parser.add("batch", &options.batch, "clips in a batch; fixed in the file");
    parser.add("output", &options.output, "file to write");
    if (!parser.parse(argc, argv, first_option)) return false;
    require("spec", options.spec);
    require("output", options.output);
    require_at_least("batch", options.batch, 1);
    if (options.batch > 4096)
        throw ConfigError(fmt::format("--batch is {}, but must be at most 4096", options.batch));
    return true;
}

}  // namespace edgeloop::cli
