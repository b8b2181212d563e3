#include "deploy/model_files.hpp"

#include "model/torch_error.hpp"
#include "model/traced_network.hpp"
#include "model/weights_file.hpp"

#include "edgeloop/model/onnx.hpp"

#include <sstream>

#include <fmt/format.h>
#include <torch/script.h>

namespace edgeloop {
namespace {

std::string torchscript_of(const StoredNetwork& from) {
    const ClipShape& clip = from.spec.clip;
    const auto traced = [&] {
        const torch::NoGradGuard no_grad;
        const auto network = trained_network(from.spec, from.weights_file);
        network->set_kernels(Kernels::plain);
        const torch::jit::Module module =
            traced_network(network, torch::zeros({1, 1, clip.frames, clip.side, clip.side}));
        std::ostringstream bytes;
        module.save(bytes);
        return bytes.str();
    };
    return translate_torch_errors("tracing the network", [&] { return with_bad_alloc(traced); });
}

}  // namespace

std::vector<ModelFile> model_files(const StoredNetwork& network) {
    ModelFile onnx;
    onnx.name = "model.onnx";
    onnx.about = "ONNX, operator set 17: for ONNX Runtime, TensorRT and others";
    onnx.bytes = export_onnx(network.spec, network.weights_file, onnx.batch);
    ModelFile torchscript;
    torchscript.name = "model.pt";
    torchscript.about = "TorchScript: for LibTorch and PyTorch";
    torchscript.bytes = torchscript_of(network);
    return {onnx, torchscript};
}

}  // namespace edgeloop
