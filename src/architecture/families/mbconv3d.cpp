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
class Counter {
  public:
    explicit Counter(const ClipShape& clip) : grid_{clip.frames, clip.side, clip.side} {}

    [[nodiscard]] ModelCounts run(const Mbconv3d& network) && {
        convolution("stem", 1, network.stem, {3, 3, 3}, {1, 1, 1}, false, true);
        activation("stem", network.stem);
        int channels = network.stem;
        for (std::size_t i = 0; i < network.stages.size(); ++i)
            for (int j = 0; j < network.stages[i].repeats; ++j) {
                const Extent3 stride = j == 0 ? network.stages[i].stride : Extent3{1, 1, 1};
                block("stages." + std::to_string(i) + "." + std::to_string(j), channels,
                      network.stages[i], stride);
                channels = network.stages[i].channels;
            }
        convolution("head", channels, network.head, {1, 1, 1}, {1, 1, 1}, false);
        activation("head", network.head);
        const double kept = layers_.kept_by_mean(positions() * network.head);
        layers_.add_dense("output", network.head, 2,
                          kept + (network.dropout > 0 ? network.head : 0));
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
    }

    /// Convolution without bias and its norm; moves the grid on.
    void convolution(const std::string& name, int inputs, int outputs, const Extent3& kernel,
                     const Extent3& stride, bool is_depthwise, bool is_clip = false) {
        const double input = positions() * inputs;
        grid_ = ceil_divide(grid_, stride);
        const double taps = static_cast<double>(volume(kernel)) * (is_depthwise ? 1 : inputs);
        LayerElements conv = linear_elements(positions(), taps, outputs, false);
        conv.is_convolution = true;
        conv.input = input;
        conv.saved = is_clip ? 0 : input;  // the clip is not an activation
        conv.working = conv.input + conv.output;
        layers_.add(name + ".conv", is_depthwise ? "depthwise conv3d" : "conv3d", shape_of(outputs),
                    conv);
        layers_.add(name + ".norm", "group norm", shape_of(outputs),
                    group_norm_elements(positions(), outputs));
    }

    void activation(const std::string& name, int channels) {
        LayerElements elements = map_elements(positions() * channels);
        elements.saved = elements.input;
        layers_.add(name, "silu", shape_of(channels), elements);
    }

    void squeeze(const std::string& name, int channels, int width) {
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

    Grid3 grid_;
    LayerList layers_;
};

}  // namespace

int Mbconv3d::Stage::expanded(int inputs) const { return share_of(inputs, expansion); }

int Mbconv3d::Stage::squeezed(int inputs) const { return share_of(expanded(inputs), squeeze); }

ModelCounts Mbconv3d::count(const ClipShape& clip) const { return Counter(clip).run(*this); }

}  // namespace edgeloop
