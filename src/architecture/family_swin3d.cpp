#include "architecture/families.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace edgeloop {
namespace {

Json normalise(const Json& architecture, const Place& place) {
    const ObjectReader reader(architecture, place,
                              {"patch", "embed_dim", "depths", "heads", "window", "mlp_ratio",
                               "head_hidden", "drop_path", "dropout"});
    const Bounds stages{1, 4};
    return {{"patch", reader.integers("patch", {3, 3}, {1, 64})},
            {"embed_dim", reader.integer("embed_dim", {1, 4096})},
            {"depths", reader.integers("depths", stages, {1, 64})},
            {"heads", reader.integers("heads", stages, {1, 1024})},
            {"window", reader.integers("window", {3, 3}, {1, 32}, {8, 7, 7})},
            {"mlp_ratio", reader.number("mlp_ratio", {1.0 / 64, 64}, 4)},
            {"head_hidden", reader.integers("head_hidden", {2, 2}, {1, 65536}, {400, 200})},
            {"drop_path", reader.number("drop_path", {0, 0.99}, 0.3)},
            {"dropout", reader.number("dropout", {0, 0.99}, 0.5)}};
}

struct Shape {
    int t, h, w;
    [[nodiscard]] double tokens() const { return static_cast<double>(t) * h * w; }
};

int divide_up(int a, int b) { return (a + b - 1) / b; }

Shape patched(const ArchitectureSpec& spec) {
    const Json& patch = spec.architecture.at("patch");
    return {divide_up(spec.clip.frames, patch[0]), divide_up(spec.clip.side, patch[1]),
            divide_up(spec.clip.side, patch[2])};
}

std::optional<std::string> shape_problem(const ArchitectureSpec& spec) {
    const Json& a = spec.architecture;
    if (a["depths"].size() != a["heads"].size())
        return fmt::format("depths has {} stages but heads has {}", a["depths"].size(),
                           a["heads"].size());
    if (a["patch"][0].get<int>() > spec.clip.frames)
        return fmt::format("a patch of {} frames is longer than the clip of {}",
                           a["patch"][0].get<int>(), spec.clip.frames);
    for (const std::size_t axis : {1u, 2u})
        if (a["patch"][axis].get<int>() > spec.clip.side)
            return fmt::format("a patch of {} pixels is larger than the side of {}",
                               a["patch"][axis].get<int>(), spec.clip.side);
    for (std::size_t i = 0; i < a["heads"].size(); ++i) {
        const int width = a["embed_dim"].get<int>() << i;
        const int heads = a["heads"][i];
        if (width % heads != 0)
            return fmt::format("heads {} of stage {} do not divide its width {}", heads, i, width);
        if (width * a["mlp_ratio"].get<double>() < 1)
            return fmt::format("mlp_ratio {} leaves stage {} of width {} no hidden channel",
                               a["mlp_ratio"].get<double>(), i, width);
    }
    return std::nullopt;
}

CostEstimate estimate(const ArchitectureSpec& spec) {
    const Json& a = spec.architecture;
    const auto window = a["window"].get<std::vector<int>>();
    const double ratio = a["mlp_ratio"];
    const double bias_rows = (2.0 * window[0] - 1) * (2.0 * window[1] - 1) * (2.0 * window[2] - 1);
    const auto patch = a["patch"].get<std::vector<int>>();
    const int embed = a["embed_dim"];
    Shape shape = patched(spec);
    double parameters = (1.0 * patch[0] * patch[1] * patch[2] + 1) * embed;
    double activations = shape.tokens() * embed;
    double width = embed;
    for (std::size_t i = 0; i < a["depths"].size(); ++i) {
        const double depth = a["depths"][i], heads = a["heads"][i];
        const double hidden = std::floor(width * ratio);
        const double window_tokens = 1.0 * std::min(window[0], shape.t) *
                                     std::min(window[1], shape.h) * std::min(window[2], shape.w);
        parameters += depth * (4 * width + 4 * width * width + 4 * width + bias_rows * heads +
                               2 * width * hidden + hidden + width);
        activations +=
            depth * shape.tokens() * (8 * width + 2 * hidden + 2 * heads * window_tokens);
        if (i + 1 < a["depths"].size()) {
            parameters += 8 * width + 8 * width * width;
            shape = {shape.t, divide_up(shape.h, 2), divide_up(shape.w, 2)};
            activations += shape.tokens() * 10 * width;
            width *= 2;
        }
    }
    const double first = a["head_hidden"][0], second = a["head_hidden"][1];
    parameters += 2 * width + (width + 1) * first + (first + 1) * second + (second + 1) * 2;
    return cost_of(parameters, activations, spec);
}

}  // namespace

const Family swin3d_family{"swin3d", normalise, shape_problem, estimate};

}  // namespace edgeloop
