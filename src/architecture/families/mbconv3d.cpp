#include "edgeloop/architecture/families/mbconv3d.hpp"

#include "edgeloop/architecture/layer_list.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop {
namespace {

int share_of(int channels, double share) {
    return std::max(1, static_cast<int>(std::lround(channels * share)));
}

/// Walks the network layer by layer.
class MbconvCounter {
  public:
    MbconvCounter(const Mbconv3d& network, const ClipShape& clip)
        : network_(network),
          factors_(factored_layers(network.low_rank, network.tensor_layers(clip))),
          grid_{clip.frames, clip.side, clip.side} {}

    [[nodiscard]] ModelCounts run() && {
        const Quantisation& quantisation = network_.quantisation;
        bits_ = quantisation.of_first();
        convolution("stem", 1, network_.stem, {3, 3, 3}, {1, 1, 1}, false, Input::clip);
        activation("stem", network_.stem);
        int channels = network_.stem;
        for (std::size_t i = 0; i < network_.stages.size(); ++i)
            for (int j = 0; j < network_.stages[i].repeats; ++j) {
                const Extent3 stride = j == 0 ? network_.stages[i].stride : Extent3{1, 1, 1};
                bits_ = quantisation.of_stage(i);
                block("stages." + std::to_string(i) + "." + std::to_string(j), channels,
                      network_.stages[i], stride);
                channels = network_.stages[i].channels;
            }
        bits_ = quantisation.of_dense();
        convolution("head", channels, network_.head, {1, 1, 1}, {1, 1, 1}, false);
        activation("head", network_.head);
        bits_ = quantisation.of_last();
        const double features = positions() * network_.head;
        if (bits_.activations != Bits::none)
            layers_.add("features", "rounding", shape_of(network_.head),
                        rounding_elements(features));
        // ReLU keeps its result, which is then what the mean reads.
        const double kept = layers_.kept_by_mean(features);
        layers_.add_dense("output", network_.head, 2,
                          (has_relu() ? 0 : kept) + (network_.dropout > 0 ? network_.head : 0),
                          quantisation, bits_);
        return std::move(layers_).total();
    }

  private:
    void block(const std::string& name, int inputs, const Mbconv3d::Stage& stage,
               const Extent3& stride) {
        const int width = stage.expanded(inputs);
        convolution(name + ".expand", inputs, width, {1, 1, 1}, {1, 1, 1}, false);
        activation(name + ".expand", width);
        convolution(name + ".depthwise", width, width, stage.kernel, stride, true);
        activation(name + ".depthwise", width);
        if (stage.squeeze > 0) squeeze(name + ".squeeze", width, stage.squeezed(inputs));
        convolution(name + ".project", width, stage.channels, {1, 1, 1}, {1, 1, 1}, false);
        if (has_relu()) activation(name, stage.channels);
    }

    /// Convolution without bias and its norm; moves the grid on.
    void convolution(const std::string& name, int inputs, int outputs, const Extent3& kernel,
                     const Extent3& stride, bool is_depthwise, Input from = Input::activations) {
        if (const FactoredLayer* const factored = factored_as(factors_, name + ".conv")) {
            layers_.add_chain(name + ".conv", *factored, grid_, is_kept_, false);
            is_kept_ = false;
            norm(name, outputs);
            return;
        }
        const double input = positions() * inputs;
        grid_ = ceil_divide(grid_, stride);
        const double taps = static_cast<double>(volume(kernel)) * (is_depthwise ? 1 : inputs);
        LayerElements conv = linear_elements(positions(), taps, outputs, false);
        conv.is_convolution = true;
        conv.input = input;
        // The clip is not an activation, and ReLU keeps its result itself.
        conv.saved = from == Input::clip || is_kept_ ? 0 : input;
        is_kept_ = false;
        conv.working = conv.input + conv.output;
        quantise(conv, network_.quantisation, bits_, outputs, 0, from);
        layers_.add(name + ".conv", is_depthwise ? "depthwise conv3d" : "conv3d", shape_of(outputs),
                    conv);
        norm(name, outputs);
    }

    void norm(const std::string& name, int outputs) {
        if (network_.norm == "affine")
            layers_.add(name + ".norm", "affine", shape_of(outputs),
                        affine_elements(positions(), outputs, bits_));
        else
            layers_.add(name + ".norm", "group norm", shape_of(outputs),
                        group_norm_elements(positions(), outputs));
    }

    void activation(const std::string& name, int channels) {
        LayerElements elements = map_elements(positions() * channels);
        elements.saved = elements.input;
        is_kept_ = has_relu();
        layers_.add(name, network_.activation, shape_of(channels), elements);
    }

    void squeeze(const std::string& name, int channels, int width) {
        is_kept_ = false;  // its result is another tensor
        layers_.add_dense(name + ".reduce", channels, width);
        layers_.add_dense(name + ".expand", width, channels);
        LayerElements elements = map_elements(positions() * channels);
        elements.saved = elements.input + channels;
        layers_.add(name, "channel weights", shape_of(channels), elements);
    }

    [[nodiscard]] double positions() const { return static_cast<double>(volume(grid_)); }
    [[nodiscard]] std::vector<std::int64_t> shape_of(std::int64_t channels) const {
        return {channels, grid_[0], grid_[1], grid_[2]};
    }

    [[nodiscard]] bool has_relu() const { return network_.activation == "relu"; }

    const Mbconv3d& network_;
    FactoredLayers factors_;
    Grid3 grid_;
    Bits bits_ = float_bits;  ///< of the layers at hand
    bool is_kept_ = false;    ///< whoever made what the next layer reads keeps it for itself
    LayerList layers_;
};

}  // namespace

int Mbconv3d::Stage::expanded(int inputs) const { return share_of(inputs, expansion); }

int Mbconv3d::Stage::squeezed(int inputs) const { return share_of(expanded(inputs), squeeze); }

std::vector<TensorLayer> Mbconv3d::tensor_layers(const ClipShape&) const {
    std::vector<TensorLayer> layers;
    int channels = stem;
    for (std::size_t s = 0; s < stages.size(); ++s)
        for (int i = 0; i < stages[s].repeats; ++i) {
            const std::string block = "stages." + std::to_string(s) + "." + std::to_string(i);
            const int width = stages[s].expanded(channels);
            layers.push_back({block + ".expand.conv", s, false, channels, width});
            layers.push_back({block + ".project.conv", s, false, width, stages[s].channels});
            channels = stages[s].channels;
        }
    layers.push_back({"head.conv", TensorLayer::dense, false, channels, head});
    return layers;
}

std::optional<std::string> Mbconv3d::problem() const {
    if (quantisation.is_float()) return std::nullopt;
    if (norm != "affine")
        return "a quantised mbconv3d needs a norm that folds into the convolution: affine, not " +
               norm;
    if (activation != "relu")
        return "a quantised mbconv3d needs the activation relu, whose results are 0 and above";
    if (std::any_of(stages.begin(), stages.end(),
                    [](const Stage& stage) { return stage.squeeze > 0; }))
        return "a quantised mbconv3d has no squeeze-excitation: squeeze has to be 0";
    return std::nullopt;
}

ModelCounts Mbconv3d::count(const ClipShape& clip) const {
    return MbconvCounter(*this, clip).run();
}

}  // namespace edgeloop
