#include "inference/reuse.hpp"

#include <algorithm>
#include <cstring>

namespace edgeloop::inference {
namespace {

/// Of the result of a layer that sees `kernel` positions at each `stride`.
Reuse windowed(const Reuse& input, int kernel, int stride, int before, int length) {
    if (input.shift == 0 || input.shift % stride != 0) return {};
    const auto rounded_up = [](int value, int by) { return (value + by - 1) / by; };
    const int room = input.high + before - kernel;
    if (room < 0) return {};
    return {input.shift / stride, std::min(rounded_up(input.low + before, stride), length),
            std::min(room / stride + 1, length)};
}

Reuse common(const Reuse& a, const Reuse& b) {
    if (a.shift != b.shift) return {};
    return {a.shift, std::max(a.low, b.low), std::min(a.high, b.high)};
}

Reuse reuse_of(const Layer& layer, const std::vector<Reuse>& tensors, int length) {
    const Reuse& input = tensors[static_cast<std::size_t>(layer.input)];
    const auto with_second = [&](const Reuse& own) {
        return layer.second < 0 ? own
                                : common(own, tensors[static_cast<std::size_t>(layer.second)]);
    };
    switch (layer.operation) {
        case Operation::convolution:
        case Operation::depthwise:
            return with_second(
                windowed(input, layer.kernel[0], layer.stride[0], layer.before[0], length));
        case Operation::max_pool:
            return windowed(input, layer.kernel[0], layer.kernel[0], 0, length);
        case Operation::add:
            return with_second(input);
        case Operation::quantise:
        case Operation::dequantise:
            return input;
        case Operation::linear:
        case Operation::norm:
        case Operation::mean:
        case Operation::scale_channels:
            break;
    }
    return {};
}

class KeepingStep final : public Step {
  public:
    KeepingStep(const Place& place, const Reuse& reuse) : place_(place), reuse_(reuse) {
        fresh = reuse.fresh();
    }
    [[nodiscard]] int tasks() const override { return 1; }
    void run(int, std::byte*, const Times& times) const override {
        if (times.tail != 0) keep(place_, reuse_);
    }

  private:
    Place place_;
    Reuse reuse_;
};

}  // namespace

std::vector<Reuse> reuse_of(const Graph& graph, const std::vector<TensorKind>& kinds, int stride) {
    std::vector<Reuse> tensors(kinds.size());
    if (stride == 0) return tensors;
    tensors.front() = {stride, 0, graph.input.grid[0]};
    for (std::size_t i = 0; i < graph.layers.size(); ++i)
        tensors[i + 1] = reuse_of(graph.layers[i], tensors, kinds[i + 1].shape.grid[0]);
    return tensors;
}

Graph with_parted_pools(Graph graph, int stride) {
    const std::vector<Reuse> tensors = reuse_of(graph, kinds_of(graph), stride);
    std::vector<Layer> layers;
    std::vector<std::int32_t> place{0};  // of each tensor's in the new graph
    for (std::size_t i = 0; i < graph.layers.size(); ++i) {
        Layer layer = std::move(graph.layers[i]);
        const bool stays = tensors[static_cast<std::size_t>(layer.input)].keeps();
        layer.input = place[static_cast<std::size_t>(layer.input)];
        if (layer.second >= 0) layer.second = place[static_cast<std::size_t>(layer.second)];
        const bool has_both = layer.kernel[0] > 1 && (layer.kernel[1] > 1 || layer.kernel[2] > 1);
        if (layer.operation == Operation::max_pool && has_both && stays &&
            !tensors[i + 1].keeps()) {
            Layer of_time = layer;
            of_time.kernel = {layer.kernel[0], 1, 1};
            layer.kernel[0] = 1;
            layers.push_back(std::move(layer));
            of_time.input = static_cast<std::int32_t>(layers.size());
            layer = std::move(of_time);
        }
        layers.push_back(std::move(layer));
        place.push_back(static_cast<std::int32_t>(layers.size()));
    }
    graph.layers = std::move(layers);
    return graph;
}

Times times_read(const Layer& layer, int input_length, const Times& results, int result_length) {
    if (results.tail == 0) return {};
    const int stride = layer.stride[0], before = layer.before[0];
    const auto clamped = [&](int t) { return std::clamp(t, 0, input_length); };
    Times read;
    if (results.head > 0)
        read.head = clamped((results.head - 1) * stride - before + layer.kernel[0]);
    read.tail =
        results.tail < result_length ? clamped(results.tail * stride - before) : input_length;
    // With a tail of 0 all is read.
    if (read.tail <= read.head) return {};
    return read;
}

std::unique_ptr<Step> keeping_step(const Place& place, const Reuse& reuse) {
    return std::make_unique<KeepingStep>(place, reuse);
}

void keep(const Place& place, const Reuse& reuse) {
    const auto plane = [&](int t) { return place.at(t, -place.before[1], -place.before[2]); };
    std::memmove(plane(reuse.low), plane(reuse.low + reuse.shift),
                 static_cast<std::size_t>(plane(reuse.high - reuse.shift) - plane(reuse.low)));
}

}  // namespace edgeloop::inference
