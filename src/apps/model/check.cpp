#include "commands.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/data/tensor_file.hpp"
#include "edgeloop/model/reference_check.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
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
    std::string file, wanted = "all";
    Processor processor = Processor::cpu;
    cli::OptionParser parser("edgeloop-model check",
                             "Compares outputs, loss and gradients with those an independent "
                             "implementation wrote; exits with 2 beyond the tolerances.");
    parser.add("reference", &file, "HDF5 file with parameters, input and results", needed_text());
    parser.add("kernels", &wanted, "implementation of the layers; fused: for CPUs only",
               one_of({"fused", "plain", "library", "all"}));
    add_device(parser, processor);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
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

}  // namespace edgeloop
