#include "edgeloop/architecture/counts.hpp"

#include "model/layer_list.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <torch/version.h>

namespace edgeloop {
namespace {

constexpr std::int64_t bytes_per_element = 4;

}  // namespace

void LayerList::add(const std::string& name, const std::string& kind,
                    std::vector<std::int64_t> shape, const LayerElements& elements) {
    LayerCounts layer;
    layer.name = name;
    layer.kind = kind;
    layer.shape = std::move(shape);
    layer.parameters = elements.parameters;
    layer.flops = elements.flops;
    layer.input_bytes = bytes_per_element * elements.input;
    layer.output_bytes = bytes_per_element * elements.output;
    layer.saved_bytes = bytes_per_element * elements.saved;
    layer.working_bytes = bytes_per_element * elements.working;
    counts_.layers.push_back(std::move(layer));
    (elements.is_convolution ? counts_.convolution_flops : counts_.matrix_flops) += elements.flops;
}

ModelCounts LayerList::total() && {
    for (const LayerCounts& layer : counts_.layers) {
        counts_.parameters += layer.parameters;
        counts_.training_activation_bytes += layer.saved_bytes;
        counts_.inference_activation_bytes =
            std::max(counts_.inference_activation_bytes, layer.working_bytes);
    }
    counts_.flops = counts_.matrix_flops + counts_.convolution_flops;
    counts_.weight_bytes = bytes_per_element * counts_.parameters;
    return std::move(counts_);
}

std::int64_t kept_by_mean(std::int64_t averaged) { return TORCH_VERSION_MAJOR < 2 ? averaged : 0; }

LayerElements linear_elements(std::int64_t rows, std::int64_t inputs, std::int64_t outputs,
                              bool with_bias) {
    LayerElements elements;
    elements.parameters = inputs * outputs + (with_bias ? outputs : 0);
    elements.flops = 2 * rows * inputs * outputs;
    elements.input = rows * inputs;
    elements.output = rows * outputs;
    return elements;
}

ModelCounts count(const ArchitectureSpec& spec) {
    if (spec.family == "swin3d") return count_swin3d(spec);
    if (spec.family == "cnn3d") return count_cnn3d(spec);
    if (spec.family == "mbconv3d") return count_mbconv3d(spec);
    throw ConfigError(fmt::format("family: '{}' is not known", spec.family), "",
                      "use swin3d, cnn3d or mbconv3d");
}

}  // namespace edgeloop
