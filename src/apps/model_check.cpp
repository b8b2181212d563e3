#include "apps/model_commands.hpp"

#include "edgeloop/cli/model_options.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/data/tensor_file.hpp"
#include "edgeloop/model/reference_check.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop::apps {
namespace {

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

}  // namespace

int check_command(int argc, const char* const* argv) {
    cli::CheckOptions options;
    if (!cli::parse(argc, argv, options)) return 0;
    const Reference reference = read_reference(options.reference);
    std::ptrdiff_t failures = 0;
    const Processor processor = options.device == "cuda" ? Processor::cuda : Processor::cpu;
    for (const Kernels kernels : all_kernels) {
        const bool exists = kernels != Kernels::fused || processor == Processor::cpu;
        if (exists && (options.kernels == "all" || options.kernels == to_string(kernels)))
            failures += report(check_reference(reference, kernels, processor), kernels, processor);
    }
    if (failures > 0)
        throw ConfigError(fmt::format("{}: {} quantities differ beyond the tolerance",
                                      options.reference, failures));
    fmt::print("all within the tolerances: output{}, {}\n", reference.loss ? ", loss" : "",
               reference.gradients.empty()
                   ? std::string("no gradients in the file")
                   : fmt::format("{} gradients", reference.gradients.size()));
    return 0;
}

}  // namespace edgeloop::apps
