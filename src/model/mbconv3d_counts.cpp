#include "model/layer_list.hpp"

namespace edgeloop {
namespace {

class Mbconv3dCounter {
  public:
    explicit Mbconv3dCounter(const ArchitectureSpec& spec)
        : config_(mbconv3d_config(spec)), grid_{spec.clip.frames, spec.clip.side, spec.clip.side} {}

    [[nodiscard]] ModelCounts run() && {
        convolution("stem", 1, config_.stem, {3, 3, 3}, {1, 1, 1}, 1, true);
        activation("stem", config_.stem);
        std::int64_t channels = config_.stem;
        for (std::size_t i = 0; i < config_.stages.size(); ++i)
            for (int j = 0; j < config_.stages[i].repeats; ++j) {
                const Extent3 stride = j == 0 ? config_.stages[i].stride : Extent3{1, 1, 1};
                block("stages." + std::to_string(i) + "." + std::to_string(j), channels,
                      config_.stages[i], stride);
                channels = config_.stages[i].channels;
            }
        convolution("head", channels, config_.head, {1, 1, 1}, {1, 1, 1}, 1);
        activation("head", config_.head);
        fully_connected(
            "output", config_.head, 2,
            kept_by_mean(volume(grid_) * config_.head) + (config_.dropout > 0 ? config_.head : 0));
        return std::move(layers_).total();
    }

  private:
    void block(const std::string& name, std::int64_t inputs, const Mbconv3dConfig::Stage& stage,
               const Extent3& stride) {
        const std::int64_t width = expanded_width(static_cast<int>(inputs), stage.expansion);
        convolution(name + ".expand", inputs, width, {1, 1, 1}, {1, 1, 1}, 1);
        activation(name + ".expand", width);
        convolution(name + ".depthwise", width, width, stage.kernel, stride, width);
        activation(name + ".depthwise", width);
        if (stage.squeeze > 0)
            squeeze(name + ".squeeze", width,
                    squeeze_width(static_cast<int>(width), stage.squeeze));
        convolution(name + ".project", width, stage.channels, {1, 1, 1}, {1, 1, 1}, 1);
    }

    /// Convolution without bias and its norm; moves the grid on.
    void convolution(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                     const Extent3& kernel, const Extent3& stride, std::int64_t groups,
                     bool is_clip = false) {
        const std::int64_t input = volume(grid_) * inputs;
        for (std::size_t d = 0; d < 3; ++d) grid_[d] = (grid_[d] + stride[d] - 1) / stride[d];
        LayerElements conv =
            linear_elements(volume(grid_), inputs / groups * volume(kernel), outputs, false);
        conv.is_convolution = true;
        conv.input = input;
        conv.saved = is_clip ? 0 : input;  // the clip is not an activation
        conv.working = conv.input + conv.output;
        layers_.add(name + ".conv", groups > 1 ? "depthwise conv3d" : "conv3d", shape_of(outputs),
                    conv);
        LayerElements norm = map_of(outputs);
        norm.parameters = 2 * outputs;
        norm.saved = norm.input + 2 * norm_groups(static_cast<int>(outputs));
        layers_.add(name + ".norm", "group norm", shape_of(outputs), norm);
    }

    void activation(const std::string& name, std::int64_t channels) {
        LayerElements elements = map_of(channels);
        elements.saved = elements.input;
        layers_.add(name, "silu", shape_of(channels), elements);
    }

    void squeeze(const std::string& name, std::int64_t channels, std::int64_t width) {
        fully_connected(name + ".reduce", channels, width);
        fully_connected(name + ".expand", width, channels);
        LayerElements elements = map_of(channels);
        elements.saved = elements.input + channels;
        layers_.add(name, "channel weights", shape_of(channels), elements);
    }

    /// @param more_saved  besides its input.
    void fully_connected(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                         std::int64_t more_saved = 0) {
        LayerElements elements = linear_elements(1, inputs, outputs);
        elements.saved = inputs + more_saved;
        elements.working = inputs + outputs;
        layers_.add(name, "linear", {outputs}, elements);
    }

    /// An operation that keeps the shape.
    [[nodiscard]] LayerElements map_of(std::int64_t channels) const {
        LayerElements elements;
        elements.input = elements.output = volume(grid_) * channels;
        elements.working = elements.input + elements.output;
        return elements;
    }
    [[nodiscard]] std::vector<std::int64_t> shape_of(std::int64_t channels) const {
        return {channels, grid_[0], grid_[1], grid_[2]};
    }

    Mbconv3dConfig config_;
    Grid3 grid_;
    LayerList layers_;
};

}  // namespace

ModelCounts count_mbconv3d(const ArchitectureSpec& spec) { return Mbconv3dCounter(spec).run(); }

}  // namespace edgeloop
