#include "inference/network_maker.hpp"

namespace edgeloop::inference {

void make_layers(const Cnn3d& network, const FamilyOutputs& outputs, NetworkMaker& maker) {
    const bool is_mean = network.reduce == "mean";
    const std::string norm = network.norm_used();
    const auto dense = [&](std::size_t i) {
        return i < network.hidden.size() ? "hidden." + std::to_string(i) : std::string("output");
    };
    for (std::size_t i = 0; i < network.stages.size(); ++i) {
        const Cnn3d::Stage& stage = network.stages[i];
        const std::string name = "stages." + std::to_string(i);
        const bool is_last = i + 1 == network.stages.size();
        ConvolutionOfNetwork convolution;
        convolution.name = name + ".conv";
        convolution.norm = name + ".norm";
        convolution.reader = !is_last  ? "stages." + std::to_string(i + 1) + ".conv"
                             : is_mean ? std::string("features")
                                       : dense(0);
        convolution.outputs = stage.channels;
        convolution.kernel = stage.kernel;
        convolution.norm_kind = norm == "group"  ? NormKind::group
                                : norm == "none" ? NormKind::none
                                                 : NormKind::affine;
        convolution.activation = Activation::relu;
        convolution.factored = factored_as(outputs.factors, convolution.name);
        maker.convolve(convolution);
        const Triple& grid = maker.shape().grid;
        maker.max_pool(stage.effective_pool({grid[0], grid[1], grid[2]}));
    }
    if (is_mean) maker.mean("features", dense(0));
    for (std::size_t i = 0; i < network.hidden.size(); ++i)
        maker.linear(dense(i), network.hidden[i], Activation::relu, dense(i + 1),
                     factored_as(outputs.factors, dense(i)));
    maker.linear("output", outputs.count, Activation::none, "");
}

}  // namespace edgeloop::inference
