#include "inference/network_maker.hpp"

namespace edgeloop::inference {
namespace {

class Mbconv3dMaker {
  public:
    Mbconv3dMaker(const Mbconv3d& network, const FactoredLayers& factors, NetworkMaker& maker)
        : maker_(maker),
          factors_(factors),
          norm_(network.norm == "affine" ? NormKind::affine : NormKind::group),
          activation_(network.activation == "relu" ? Activation::relu : Activation::silu) {}

    [[nodiscard]] Activation activation() const { return activation_; }

    void convolve(const std::string& name, int outputs, const Extent3& kernel,
                  const Extent3& stride, bool is_depthwise, Activation activation,
                  const std::string& reader, int residual = -1) {
        ConvolutionOfNetwork convolution;
        convolution.name = name + ".conv";
        convolution.norm = name + ".norm";
        convolution.reader = reader;
        convolution.outputs = outputs;
        convolution.kernel = kernel;
        convolution.stride = stride;
        convolution.is_depthwise = is_depthwise;
        convolution.has_bias = false;
        convolution.norm_kind = norm_;
        convolution.activation = activation;
        convolution.residual = residual;
        convolution.factored = factored_as(factors_, convolution.name);
        maker_.convolve(convolution);
    }

    void block(const std::string& name, const Mbconv3d::Stage& stage, const Extent3& stride,
               const std::string& reader) {
        const int inputs = maker_.shape().channels, width = stage.expanded(inputs);
        maker_.round_for(name + ".expand.conv");  // once, for both branches
        const int before = maker_.tensor();
        const bool has_residual = inputs == stage.channels && volume(stride) == 1;
        constexpr Extent3 one{1, 1, 1};
        convolve(name + ".expand", width, one, one, false, activation_, name + ".depthwise.conv");
        convolve(name + ".depthwise", width, stage.kernel, stride, true, activation_,
                 name + ".project.conv");
        if (stage.squeeze > 0) maker_.squeeze(name + ".squeeze", stage.squeezed(inputs));
        const auto last = activation_ == Activation::relu ? Activation::relu : Activation::none;
        convolve(name + ".project", stage.channels, one, one, false, last, reader,
                 has_residual ? before : -1);
    }

  private:
    NetworkMaker& maker_;
    const FactoredLayers& factors_;
    NormKind norm_;
    Activation activation_;
};

}  // namespace

void make_layers(const Mbconv3d& network, const FamilyOutputs& outputs, NetworkMaker& maker) {
    constexpr Extent3 one{1, 1, 1};
    Mbconv3dMaker own(network, outputs.factors, maker);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < network.stages.size(); ++i)
        for (int j = 0; j < network.stages[i].repeats; ++j)
            names.push_back("stages." + std::to_string(i) + "." + std::to_string(j));
    names.emplace_back("");  // the head
    const auto reader = [&](std::size_t block) {
        return names[block].empty() ? std::string("head.conv") : names[block] + ".expand.conv";
    };
    own.convolve("stem", network.stem, {3, 3, 3}, one, false, own.activation(), reader(0));
    std::size_t block = 0;
    for (const Mbconv3d::Stage& stage : network.stages)
        for (int j = 0; j < stage.repeats; ++j, ++block)
            own.block(names[block], stage, j == 0 ? stage.stride : one, reader(block + 1));
    own.convolve("head", network.head, one, one, false, own.activation(), "features");
    maker.mean("features", "output");
    maker.linear("output", outputs.count, Activation::none, "");
}

}  // namespace edgeloop::inference
