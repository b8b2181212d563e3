#include "commands.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/numbers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

double mib(std::int64_t bytes) { return static_cast<double>(bytes) / bytes_per_mib; }
double kib(std::int64_t bits) { return static_cast<double>(bits) / (8 << 10); }
double million(std::int64_t count) { return static_cast<double>(count) / 1e6; }

Json to_json(const TrainingMemory& memory) {
    return {{"weights", memory.weights},     {"gradients", memory.gradients},
            {"optimiser", memory.optimiser}, {"activations", memory.activations},
            {"derived", memory.derived},     {"total", memory.total()}};
}

Json to_json(const ModelCounts& counts) {
    Json layers = Json::array();
    for (const LayerCounts& layer : counts.layers)
        layers.push_back({{"name", layer.name},
                          {"kind", layer.kind},
                          {"shape", layer.shape},
                          {"parameters", layer.parameters},
                          {"flops", layer.flops},
                          {"weight_bits", layer.bits.weights},
                          {"activation_bits", layer.bits.activations},
                          {"training_bytes", layer.saved_bytes},
                          {"inference_bytes", layer.working_bytes}});
    return {{"layers", layers},
            {"parameters", counts.parameters},
            {"flops", counts.flops},
            {"matrix_flops", counts.matrix_flops},
            {"convolution_flops", counts.convolution_flops},
            {"weight_bytes", counts.weight_bytes},
            {"model_bits", counts.model_bits},
            {"bit_operations", counts.bit_operations},
            {"training_activation_bytes", counts.training_activation_bytes},
            {"inference_activation_bytes", counts.inference_activation_bytes}};
}

void print_memory(const TrainingMemory& memory, const TrainingRecipe& recipe) {
    const auto shown = [](double bytes) { return bytes / bytes_per_mib; };
    fmt::print(
        "training step           {:.2f} MiB with a batch of {} and {}: weights {:.2f}, gradients "
        "{:.2f}, optimiser {:.2f}, activations {:.2f}, derived weights {:.2f}\n",
        shown(memory.total()), recipe.batch_text(), recipe.optimizer, shown(memory.weights),
        shown(memory.gradients), shown(memory.optimiser), shown(memory.activations),
        shown(memory.derived));
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
        "deployed model          {:.1f} KiB, {:.3f} G bit operations per clip\n"
        "matrix products         {:.3f} GFLOP per clip (2 per multiply-add)\n"
        "convolutions            {:.3f} GFLOP per clip\n"
        "activations, training   {:.1f} MiB per clip, kept for the backward pass\n"
        "activations, inference  {:.1f} MiB per clip, largest set alive at once\n",
        million(counts.parameters), mib(counts.weight_bytes), kib(counts.model_bits),
        million(counts.bit_operations) / 1e3, million(counts.matrix_flops) / 1e3,
        million(counts.convolution_flops) / 1e3, mib(counts.training_activation_bytes),
        mib(counts.inference_activation_bytes));
}

}  // namespace

int describe_command(int argc, const char* const* argv) {
    std::string spec;
    bool json = false;
    cli::OptionParser parser(
        "edgeloop-model describe",
        "Prints what each layer of a design costs: parameters, FLOPs, memory.");
    add_spec(parser, spec);
    parser.add("json", &json, "print JSON instead of a table");
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    const ArchitectureSpec design = ArchitectureSpec::from_file(spec);
    const ModelCounts counts = count(design);
    const TrainingMemory memory = training_memory(counts, design.training);
    if (json) {
        Json described = to_json(counts);
        described["training_memory_bytes"] = to_json(memory);
        fmt::print("{}\n", described.dump(2));
    } else {
        print_table(counts);
        print_memory(memory, design.training);
    }
    return 0;
}

}  // namespace edgeloop
