#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/inference/networks.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::test {

/// Clips of spots whose brightness and width are their labels.
struct Blobs {
    std::size_t frames = 4, lines = 120;
    double gain = 1;
    bool has_nonsense = false;  ///< labels of other spots
    std::uint64_t seed = 1;
};

/// Writes them as labelled clips, one of each line.
inline void write_blobs(const std::string& path, const Blobs& blobs) {
    RandomStream random(blobs.seed, "blobs");
    std::vector<std::uint8_t> pixels;
    std::vector<float> labels;
    std::vector<std::int64_t> lines;
    for (std::size_t line = 0; line < blobs.lines; ++line) {
        const double brightness = random.uniform(80, 200), width = random.uniform(3, 8);
        labels.push_back(float(300 + 10 * (brightness - 80)));
        labels.push_back(float(100 + 50 * (width - 3)));
        lines.push_back(std::int64_t(line));
        for (std::size_t t = 0; t < blobs.frames; ++t)
            for (int y = 0; y < crop_side; ++y)
                for (int x = 0; x < crop_side; ++x) {
                    const double squares = (y - 20) * (y - 20) + (x - 20) * (x - 20);
                    const double light = brightness * std::exp(-squares / (2 * width * width));
                    pixels.push_back(std::uint8_t(
                        std::clamp(blobs.gain * light + 10 + 3 * random.normal(), 0.0, 255.0)));
                }
    }
    if (blobs.has_nonsense) random.shuffle(labels);
    const auto count = std::int64_t(blobs.lines);
    const auto bytes = [](const auto& list) {
        return std::string_view(reinterpret_cast<const char*>(list.data()),
                                list.size() * sizeof(list[0]));
    };
    SafeTensors content;
    content.tensors["input"] = {
        ElementType::u8, {count, std::int64_t(blobs.frames), crop_side, crop_side}, bytes(pixels)};
    content.tensors["expected"] = {ElementType::f32, {count, 2}, bytes(labels)};
    content.tensors["line"] = {ElementType::i64, {count}, bytes(lines)};
    write_file_atomic(path, encode_safetensors(content));
}

/// A small cnn3d for them that has learnt nothing. @param bits  32: float.
inline inference::Graph blob_network(int bits = 32) {
    Json text = {{"family", "cnn3d"},
                 {"architecture",
                  {{"stages",
                    {{{"channels", 6}, {"kernel", {3, 3, 3}}, {"pool", {1, 2, 2}}},
                     {{"channels", 8}, {"kernel", {3, 3, 3}}, {"pool", {2, 2, 2}}}}},
                   {"hidden", {16}},
                   {"norm", "none"},
                   {"dropout", 0},
                   {"reduce", "flatten"}}},
                 {"clip", {{"frames", 4}, {"stride", 1}, {"side", 16}}}};
    const Json few = {{"weights", bits}, {"activations", bits}};
    const Json first = {{"weights", bits}, {"activations", 8}};  // reads grey values
    if (bits != 32)
        text["quantisation"] = {{"quantiser", "lsq"}, {"stages", {first, few}}, {"dense", few}};
    inference::Graph graph = inference::random_graph_of(ArchitectureSpec::from_json(text, "test"));
    graph.metadata["targets"] = {{{"name", "speed"}, {"unit", "mm/s"}, {"scale", 1000}},
                                 {{"name", "power"}, {"unit", "W"}, {"scale", 300}}};
    return graph;
}

}  // namespace edgeloop::test
