#include "inference/network_maker.hpp"

#include "edgeloop/inference/factors.hpp"

#include <utility>

namespace edgeloop::inference {

void NetworkMaker::convolve_links(const ConvolutionOfNetwork& convolution) {
    const std::vector<ChainLink> chain = convolution.factored->chain();
    for (std::size_t i = 0; i < chain.size(); ++i) {
        ConvolutionOfNetwork link = convolution;
        link.factored = nullptr;
        link.name += "." + std::to_string(i);
        link.outputs = chain[i].outputs;
        link.kernel = chain[i].kernel;
        link.stride = chain[i].stride;
        link.is_depthwise = chain[i].is_depthwise;
        if (i + 1 < chain.size()) {  // what follows the convolution follows its last link
            link.has_bias = false;
            link.norm_kind = NormKind::none;
            link.activation = Activation::none;
            link.reader.clear();
            link.residual = -1;
        }
        convolve(link);
    }
}

std::vector<float> NetworkMaker::kernel_of(const ConvolutionOfNetwork& convolution,
                                           const std::vector<std::int64_t>& shape) {
    if (convolution.factored == nullptr) return source_.floats(convolution.name + ".weight", shape);
    FactorWeights weights;
    for (const ChainLink& link : convolution.factored->chain()) {
        const Extent3& k = link.kernel;
        const std::int64_t read = link.is_depthwise ? 1 : link.inputs;
        weights.push_back(
            source_.floats(convolution.name + "." + std::to_string(weights.size()) + ".weight",
                           {link.outputs, read, k[0], k[1], k[2]}));
    }
    return merged_convolution(*convolution.factored, weights);
}

std::vector<float> NetworkMaker::bias_of(const ConvolutionOfNetwork& convolution) {
    std::string name = convolution.name;
    if (convolution.factored != nullptr)
        name += "." + std::to_string(convolution.factored->chain().size() - 1);
    return source_.floats(name + ".bias", {convolution.outputs});
}

void NetworkMaker::add_linear(std::vector<float> weights, std::vector<float> bias, int outputs,
                              Activation activation) {
    const Shape& input = flow_.shape;
    Layer layer;
    layer.operation = Operation::linear;
    layer.outputs = outputs;
    layer.activation = activation;
    layer.weights = channels_last(weights, static_cast<std::size_t>(input.channels),
                                  static_cast<std::size_t>(input.positions()));
    layer.bias = std::move(bias);
    add(std::move(layer), {{outputs, {1, 1, 1}}, 0, 1});
}

void NetworkMaker::linear_factored(const std::string& name, Activation activation,
                                   const FactoredLayer& factored) {
    round_for(name);
    become_float();
    FactorWeights weights;
    for (const TrainCore& core : factored.cores()) {
        const std::vector<std::int64_t> shape =
            factored.format == "ttm"
                ? std::vector<std::int64_t>{core.left, core.outputs, core.inputs, core.right}
                : std::vector<std::int64_t>{core.left, std::int64_t{core.inputs} * core.outputs,
                                            core.right};
        weights.push_back(source_.floats(name + ".core" + std::to_string(weights.size()), shape));
    }
    const int outputs = factored.layer.outputs;
    std::vector<float> bias = source_.floats(name + ".bias", {outputs});
    if (!runs_as_factors(factored))
        return add_linear(merged_linear(factored, weights), std::move(bias), outputs, activation);
    TrainHalves halves = merged_halves(factored, weights);
    add_linear(std::move(halves.before), {}, halves.rank, Activation::none);
    add_linear(std::move(halves.after), std::move(bias), outputs, activation);
}

}  // namespace edgeloop::inference
