// Writes networks of all shipped families as files, for the runtimes of other languages to run:
// random designs with random weights, fixed and free batch, clips and crops. TorchScript files are
// compared here, too, with LibTorch. With each file go inputs and what the network gives for them.
//
// usage: write_exports FOLDER [DESIGNS of each family]
#include "deploy/exported_network.hpp"
#include "deploy/file_comparison.hpp"
#include "model/weights_file.hpp"
#include "support/places.hpp"
#include "unit/model/lively_network.hpp"
#include "unit/model/random_designs.hpp"
#include "unit/model/specs.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/data/tensor_file.hpp"
#include "edgeloop/model/reference_check.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <torch/torch.h>

namespace edgeloop {
namespace {

constexpr int fixed_batch = 3;

std::string bytes_of(const torch::Tensor& values) {
    const torch::Tensor plain = values.contiguous();
    return {static_cast<const char*>(plain.data_ptr()), plain.nbytes()};
}

/// Clips of the recordings in tests/data, and edge cases.
class Clips {
  public:
    Clips()
        : recorded_(TensorFile(test::test_data("raise/raise_expected_clips.h5"))
                        .require("v1.1/crop_u8")) {}

    [[nodiscard]] Crops of(int frames) const {
        constexpr std::int64_t most = 3;
        const std::int64_t length = recorded_.shape.at(2);
        Crops crops;
        crops.frames = frames;
        crops.count = static_cast<std::size_t>(std::min(most, recorded_.shape.at(0)));
        for (std::size_t clip = 0; clip < crops.count; ++clip)
            for (int frame = 0; frame < frames; ++frame) {
                const std::size_t at =
                    (clip * std::size_t(length) + std::size_t(frame % length)) * crop_pixels;
                for (std::size_t i = 0; i < crop_pixels; ++i)
                    crops.pixels.push_back(static_cast<std::uint8_t>(recorded_.values.at(at + i)));
            }
        return comparison_crops(crops, frames, crops.count + 12);
    }

  private:
    FloatArray recorded_;
};

class Writer {
  public:
    explicit Writer(std::string folder) : folder_(std::move(folder)) {}

    void write(const std::string& name, const std::string& bytes) {
        write_file_atomic(folder_ + "/" + name, bytes, Durability::process_crash);
    }
    /// Adds a file that is to give `expected` for `input`.
    void add(const std::string& file, const std::string& bytes, const torch::Tensor& input,
             const torch::Tensor& expected, const Json& how) {
        write(file, bytes);
        write(file + ".input", bytes_of(input));
        write(file + ".expected", bytes_of(expected));
        Json entry = how;
        entry["file"] = file;
        entry["input_type"] = input.scalar_type() == torch::kByte ? "uint8" : "float32";
        entry["input_shape"] = input.sizes().vec();
        entry["expected_shape"] = expected.sizes().vec();
        entries_.push_back(entry);
    }
    void finish() { write("files.json", entries_.dump(1)); }
    [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

  private:
    std::string folder_;
    Json entries_ = Json::array();
};

std::string random_weights(const ArchitectureSpec& spec, std::uint64_t seed) {
    return encode_weights(weights_of(*test::lively_network(spec, seed)));
}

void check(const torch::Tensor& found, const torch::Tensor& expected,
           const ExportedNetwork& network, const std::string& what) {
    const torch::Tensor parts =
        differences(network.normalised(found), network.normalised(expected));
    if ((parts <= 1).all().item<bool>()) return;
    throw LogicError(fmt::format("{}: the TorchScript file gives {} times what is allowed", what,
                                 parts.max().item<double>()));
}

Json rule_of(const ExportedNetwork& network, const char* precision) {
    double scale = 1;
    for (const Target& target : network.targets)
        if (network.crops) scale = std::max(scale, target.scale);
    return {{"precision", precision},
            {"absolute", float_absolute_tolerance * scale},
            {"relative", float_relative_tolerance}};
}

void write_design(Writer& writer, const Clips& clips, const StoredNetwork& stored, bool crops) {
    const torch::NoGradGuard no_grad;
    const ExportedNetwork network = exported_network(stored, crops);
    const Crops windows = clips.of(network.clip.frames);
    const torch::Tensor input = network.input(windows, 0, windows.count);
    const torch::Tensor expected = network.expected(windows, 0, windows.count);
    Json how = rule_of(network, "float32");
    how["what"] = stored.spec.canonical();

    const std::string script =
        torchscript_of(network, FilePrecision::float32, TracedOutputs::targets, {{"key", "value"}});
    const FileRunner run = runner_of(script, ModelFormat::torchscript);
    check(run_file(run, network, windows, fixed_batch), expected, network, stored.name);
    check(run_file(run, network, windows, 1), expected, network, stored.name);
    writer.add(stored.name + ".pt", script, input, expected, how);

    OnnxForm form;
    form.free_batch = true;
    writer.add(stored.name + "-free.onnx",
               onnx_of(traced_graph(network, 0, TracedOutputs::targets), "free", form, {}), input,
               expected, how);
    const TracedGraph fixed = traced_graph(network, fixed_batch, TracedOutputs::targets);
    how["batch"] = fixed_batch;
    writer.add(stored.name + "-fixed.onnx", onnx_of(fixed, "fixed", {}, {{"key", "value"}}),
               input.narrow(0, 0, fixed_batch), expected.narrow(0, 0, fixed_batch), how);
}

/// What integers and float16 give by the same roundings in LibTorch.
void write_rounded(Writer& writer, const Clips& clips, const ArchitectureSpec& spec) {
    const torch::NoGradGuard no_grad;
    StoredNetwork stored;
    stored.name = spec.family + "-small";
    stored.spec = spec;
    stored.weights_file = writer.path(stored.name + ".safetensors");
    writer.write(stored.name + ".safetensors", random_weights(spec, 1));
    const ExportedNetwork network = exported_network(stored, false);
    const Crops windows = clips.of(network.clip.frames);
    const torch::Tensor input = network.input(windows, 0, windows.count);
    const torch::Tensor exact = network.expected(windows, 0, windows.count);
    const TracedGraph traced = traced_graph(network, 0, TracedOutputs::targets);
    OnnxForm form;
    form.free_batch = true;
    form.half = true;
    Json how{{"what", stored.spec.canonical()}, {"precision", "float16"}};
    how["float32"] = std::vector<float>(exact.contiguous().data_ptr<float>(),
                                        exact.contiguous().data_ptr<float>() + exact.numel());
    writer.add(stored.name + "-half.onnx", onnx_of(traced, "half", form, {}), input,
               run_in_half(*traced.graph, input), how);
    const QuantisedNodes nodes = calibrate(*traced.graph, [&](const auto& see) { see(input); });
    if (nodes.empty()) throw LogicError(stored.name + ": nothing is quantised");
    form.half = false;
    form.quantised = &nodes;
    how["precision"] = "int8";
    writer.add(stored.name + "-int8.onnx", onnx_of(traced, "int8", form, {}), input,
               run_quantised(*traced.graph, nodes, input), how);
}

void write_families(Writer& writer, const Clips& clips, int designs) {
    const test::DesignBudget budget{designs, 0.004};
    constexpr std::int64_t max_weight_bytes = 2 << 20;  // each is written four times
    std::map<std::string, int> made;
    RandomStream random(1, "exported designs");
    const auto is_enough = [&] {
        return made.size() == test::family_names().size() &&
               std::all_of(made.begin(), made.end(),
                           [&](const auto& each) { return each.second == designs; });
    };
    while (!is_enough())
        for (const ShippedFile& file : shipped_spaces()) {
            const auto space = SearchSpace::from_file(std::string(file.name));
            StoredNetwork stored;
            stored.spec = test::random_design(space, random, budget);
            if (!stored.spec.quantisation.is_float()) continue;  // those have native files alone
            if (count(stored.spec).weight_bytes > max_weight_bytes) continue;
            int& number = made[stored.spec.family];
            if (number >= designs) continue;
            stored.name = fmt::format("{}-{}", stored.spec.family, number++);
            stored.weights_file = writer.path(stored.name + ".safetensors");
            writer.write(stored.name + ".safetensors",
                         random_weights(stored.spec, static_cast<std::uint64_t>(number)));
            write_design(writer, clips, stored, number % 5 == 0);
        }
}

torch::Tensor tensor_of(const FloatArray& array) {
    return torch::tensor(array.values).reshape(array.shape);
}

/// The output that another implementation gave is what the exported files are to give.
void write_reference(Writer& writer, const std::string& name) {
    const torch::NoGradGuard no_grad;
    const TensorFile file(test::test_data("reference/" + name + ".h5"));
    const torch::Tensor input = tensor_of(file.require("input"));
    const torch::Tensor output = tensor_of(file.require("output"));
    std::map<std::string, torch::Tensor> weights;
    for (const auto& [key, array] : file.read_group("parameters")) weights[key] = tensor_of(array);
    writer.write(name + ".safetensors", encode_weights(weights));
    StoredNetwork stored;
    stored.name = name;
    stored.spec = spec_of_reference(parse_json(*file.text_attribute("architecture"), name),
                                    input.sizes().vec());
    stored.weights_file = writer.path(name + ".safetensors");
    const ExportedNetwork network = exported_network(stored, false);
    const Json how = rule_of(network, "float32");
    OnnxForm form;
    form.free_batch = true;
    TracedGraph traced;
    traced.example = input;
    traced.module = traced_network(network.exported, input);
    traced.graph = traced.module.get_method("forward").graph();
    std::ostringstream script;
    traced.module.save(script);
    check(runner_of(script.str(), ModelFormat::torchscript)(input).front(), output, network, name);
    writer.add(name + ".pt", script.str(), input, output, how);
    writer.add(name + ".onnx", onnx_of(traced, name, form, {}), input, output, how);
}

void run(const std::string& folder, int designs) {
    make_directories(folder);
    Writer writer(folder);
    write_families(writer, Clips(), designs);
    for (const ArchitectureSpec& spec : test::small_designs()) write_rounded(writer, Clips(), spec);
    for (const char* name : {"swin3d_a", "swin3d_b"}) write_reference(writer, name);
    writer.finish();
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    try {
        edgeloop::run(argc > 1 ? argv[1] : ".", argc > 2 ? std::atoi(argv[2]) : 30);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
