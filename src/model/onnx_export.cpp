#include "model/network.hpp"
#include "model/onnx_translator.hpp"
#include "model/torch_error.hpp"
#include "model/traced_network.hpp"
#include "model/weights_file.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/model/onnx.hpp"

#include <torch/script.h>

namespace edgeloop {

std::string export_onnx(const ArchitectureSpec& spec, const std::string& weights, int batch) {
    if (!spec.quantisation.is_float())
        throw ConfigError("this network has quantised layers",
                          "the ONNX file that is written here is of float32");
    const auto exported = [&] {
        const torch::NoGradGuard no_grad;
        const auto network = trained_network(spec, weights);
        network->set_kernels(Kernels::exported);
        const ClipShape& clip = spec.clip;
        const torch::Tensor example = torch::zeros({batch, 1, clip.frames, clip.side, clip.side});
        const torch::jit::Module module = traced_network(network, example);
        const auto graph = module.get_method("forward").graph();
        OnnxTranslator translator(*graph, example, {});
        return translator.translate().model(spec.family, {{"spec", spec.canonical()}});
    };
    return translate_torch_errors("exporting", [&] { return with_bad_alloc(exported); });
}

}  // namespace edgeloop
