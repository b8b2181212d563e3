#include "edgeloop/accelerator/rtl.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/inference/reference.hpp"
#include "edgeloop/preprocessing/resize.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop::accelerator {
namespace {

/// Of the last layer, whose results are floats in the reference.
std::int32_t accumulator_of(const Circuit& circuit, const std::vector<std::uint8_t>& input,
                            std::size_t output) {
    const inference::Quantisation& integer = circuit.graph.layers.back().integer;
    std::int64_t sum = integer.bias[output];
    for (std::size_t i = 0; i < input.size(); ++i)
        sum += std::int64_t{integer.weights[output * input.size() + i]} * input[i];
    return static_cast<std::int32_t>(sum);
}

std::uint8_t grey(double value) {
    return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
}

}  // namespace

TestVectors test_vectors_of(const Circuit& circuit, std::vector<std::vector<std::uint8_t>> clips) {
    TestVectors vectors;
    vectors.clips = std::move(clips);
    for (const auto& clip : vectors.clips) {
        const std::vector<inference::Values> values = evaluate(circuit.graph, {{}, clip});
        const inference::Values& last = values[values.size() - 2];
        std::vector<std::int32_t> answer;
        const inference::Layer& layer = circuit.graph.layers.back();
        for (std::size_t i = 0; i < values.back().real.size(); ++i) {
            answer.push_back(accumulator_of(circuit, last.integers, i));
            float value = inference::output_value(answer.back(), layer.integer.scales[i]);
            if (layer.activation == inference::Activation::relu) value = std::max(value, 0.0F);
            EDGELOOP_EXPECT(value == values.back().real[i], "an answer that the reference has not");
        }
        vectors.answers.push_back(std::move(answer));
    }
    return vectors;
}

std::vector<std::uint8_t> clip_of_crops(const inference::Graph& graph, const std::uint8_t* crops) {
    const inference::Triple& grid = graph.input.grid;
    const auto frames = static_cast<std::size_t>(grid[0]), side = static_cast<std::size_t>(grid[2]);
    if (grid[1] == crop_side && grid[2] == crop_side) return {crops, crops + frames * crop_pixels};
    if (grid[1] != grid[2]) throw ConfigError("the network's clips are not square");
    const Json& said = graph.metadata.at("normalisation");
    const Normalisation normalisation{said.at("mean").get<double>(),
                                      said.at("deviation").get<double>()};
    const auto inverse_scale =
        static_cast<float>(1 / inference::input_scale(normalisation.deviation));
    Resizer resizer(crop_side, crop_side, grid[2], normalisation);
    std::vector<float> frame(side * side);
    std::vector<std::uint8_t> clip;
    for (std::size_t t = 0; t < frames; ++t) {
        resizer.run(crops + t * crop_pixels, frame.data());
        for (const float x : frame)
            clip.push_back(inference::clip_integer(x, inverse_scale, graph.input_elements.zero));
    }
    return clip;
}

std::vector<std::vector<std::uint8_t>> sample_clips(const Circuit& circuit, std::size_t count) {
    const inference::Triple& grid = circuit.graph.input.grid;
    std::vector<std::vector<std::uint8_t>> clips;
    for (std::size_t i = 0; i < count; ++i) {
        RandomStream random(1, "clips of an accelerator", 0, i);
        std::vector<std::uint8_t> clip;
        const double level = random.uniform(0, 255), width = random.uniform(1, grid[2]);
        double y = random.uniform(0, grid[1]), x = random.uniform(0, grid[2]);
        for (int t = 0; t < grid[0]; ++t) {
            for (int h = 0; h < grid[1]; ++h)
                for (int w = 0; w < grid[2]; ++w) {
                    const double distance = ((h - y) * (h - y) + (w - x) * (w - x)) / width;
                    const double spot = 255 * std::exp(-distance) + 8 * random.normal();
                    clip.push_back(grey(i % 3 == 0   ? random.uniform(0, 255)
                                        : i % 3 == 1 ? spot
                                                     : level));
                }
            y += random.normal();
            x += random.normal();
        }
        clips.push_back(std::move(clip));
    }
    return clips;
}

}  // namespace edgeloop::accelerator
