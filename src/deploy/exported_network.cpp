#include "deploy/exported_network.hpp"

#include "deploy/crop_network.hpp"
#include "deploy/onnx_session.hpp"
#include "model/traced_network.hpp"
#include "model/weights_file.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/preprocessing/resize.hpp"

#include <cstring>
#include <sstream>

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/script.h>

namespace edgeloop {
namespace {

torch::Tensor scales_of(const ExportedNetwork& network) {
    std::vector<float> scales;
    for (const Target& target : network.targets)
        scales.push_back(network.crops ? static_cast<float>(target.scale) : 1);
    return torch::tensor(scales);
}

torch::Tensor clips_of(const ClipShape& clip, const Crops& from, std::size_t begin,
                       std::size_t count) {
    torch::Tensor clips = torch::empty({std::int64_t(count), 1, clip.frames, clip.side, clip.side});
    Resizer resizer(crop_side, crop_side, clip.side, {clip.mean, clip.deviation});
    float* out = clips.data_ptr<float>();
    const std::uint8_t* image = from.window(begin);
    const std::size_t images = count * static_cast<std::size_t>(clip.frames);
    for (std::size_t i = 0; i < images; ++i, image += crop_pixels, out += clip.side * clip.side)
        resizer.run(image, out);
    return clips;
}

torch::Tensor example_of(const ExportedNetwork& network, int batch) {
    const ClipShape& clip = network.clip;
    return network.crops ? torch::zeros({batch, clip.frames, crop_side, crop_side}, torch::kByte)
                         : torch::zeros({batch, 1, clip.frames, clip.side, clip.side});
}

/// In float16 between an input and an output of float32.
class HalfNetwork final : public Network {
  public:
    explicit HalfNetwork(const std::shared_ptr<Network>& network)
        : network_(register_module("network", network)) {
        network_->to(torch::kHalf);
    }
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& clips) override {
        return network_->forward(clips.to(torch::kHalf)).to(torch::kFloat);
    }

  private:
    std::shared_ptr<Network> network_;
};

}  // namespace

torch::Tensor ExportedNetwork::input(const Crops& from, std::size_t begin,
                                     std::size_t count) const {
    if (!crops) return clips_of(clip, from, begin, count);
    torch::Tensor bytes =
        torch::empty({std::int64_t(count), clip.frames, crop_side, crop_side}, torch::kByte);
    std::memcpy(bytes.data_ptr(), from.window(begin), bytes.nbytes());
    return bytes;
}

torch::Tensor ExportedNetwork::expected(const Crops& from, std::size_t begin,
                                        std::size_t count) const {
    const torch::NoGradGuard no_grad;
    const torch::Tensor clips = clips_of(clip, from, begin, count);
    return trained->forward(clips.to(trained->output_bias().scalar_type())).to(torch::kFloat) *
           scales_of(*this);
}

torch::Tensor ExportedNetwork::normalised(const torch::Tensor& output) const {
    return output / scales_of(*this);
}

ExportedNetwork exported_network(const StoredNetwork& from, bool with_preprocessing) {
    ExportedNetwork network;
    network.clip = from.spec.clip;
    network.crops = with_preprocessing;
    network.trained = trained_network(from.spec, from.weights_file);
    // Sums of float32 may round to another activation than those of integers.
    if (!from.spec.quantisation.is_float()) network.trained->to(torch::kDouble);
    const auto outputs = static_cast<std::size_t>(network.trained->output_bias().numel());
    network.targets = from.targets.empty() && outputs == 2 ? raise_targets() : from.targets;
    if (outputs != network.targets.size())
        throw ConfigError(fmt::format("the network of '{}' predicts {} targets, and {} are known",
                                      from.name, outputs, network.targets.size()),
                          "names, units and scales are part of the file",
                          "use the folder that train wrote");
    network.exported = trained_network(from.spec, from.weights_file);
    network.exported->set_kernels(Kernels::exported);
    if (with_preprocessing) {
        network.exported =
            std::make_shared<CropNetwork>(network.exported, network.clip, network.targets);
        network.exported->eval();
    }
    return network;
}

TracedGraph traced_graph(const ExportedNetwork& network, int batch, TracedOutputs outputs) {
    TracedGraph traced;
    traced.example = example_of(network, std::max(batch, 1));
    traced.module = traced_network(network.exported, traced.example, outputs);
    traced.graph = traced.module.get_method("forward").graph();
    return traced;
}

std::string torchscript_of(const ExportedNetwork& network, FilePrecision precision,
                           TracedOutputs outputs, const FileMetadata& metadata) {
    EDGELOOP_EXPECT(precision != FilePrecision::int8, "TorchScript files have no integers");
    const bool half = precision == FilePrecision::float16;
    if (half && network.crops)
        throw ConfigError("a TorchScript file of float16 takes clips, not crops", {},
                          "leave out --with-preprocessing, or use --format onnx");
    const std::shared_ptr<Network> written =
        half ? std::make_shared<HalfNetwork>(network.exported) : network.exported;
    written->eval();
    torch::jit::Module module;
    try {
        module = traced_network(written, example_of(network, 1), outputs);
    } catch (const c10::Error& error) {
        const std::string text = error.what_without_backtrace();
        if (!half || text.find("Half") == std::string::npos) throw;
        throw ConfigError("this LibTorch does not compute in float16 on the CPU",
                          text.substr(0, text.find('\n')), "use --format onnx");
    }
    torch::jit::ExtraFilesMap extra;
    for (const auto& [key, value] : metadata) extra[key] = value;
    std::ostringstream bytes;
    module.save(bytes, extra);
    return bytes.str();
}

std::string onnx_of(const TracedGraph& traced, const std::string& name, const OnnxForm& form,
                    const FileMetadata& metadata) {
    return OnnxTranslator(*traced.graph, traced.example, form).translate().model(name, metadata);
}

FileRunner runner_of(const std::string& bytes, ModelFormat format) {
    if (format == ModelFormat::onnx) {
        const auto session = std::make_shared<OnnxSession>(bytes);
        return [session](const torch::Tensor& input) {
            const torch::Tensor plain = input.contiguous();
            std::vector<torch::Tensor> results;
            for (OnnxSession::Result& each : session->run(
                     plain.data_ptr(), plain.scalar_type() == torch::kByte, plain.sizes().vec()))
                results.push_back(torch::tensor(each.values).reshape(each.shape));
            return results;
        };
    }
    run_scripts_unprofiled();
    std::istringstream stream(bytes);
    auto module = std::make_shared<torch::jit::Module>(torch::jit::load(stream));
    module->eval();
    return [module](const torch::Tensor& input) {
        const torch::NoGradGuard no_grad;
        const torch::jit::IValue result = module->forward({input});
        if (result.isTensor()) return std::vector<torch::Tensor>{result.toTensor()};
        return result.toTensorVector();
    };
}

}  // namespace edgeloop
