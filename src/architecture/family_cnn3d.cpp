#include "architecture/families.hpp"

#include <fmt/format.h>

namespace edgeloop {
namespace {

Json normalise_stage(const Json& stage, const Place& place) {
    const ObjectReader reader(stage, place, {"channels", "kernel", "pool"});
    return {{"channels", reader.integer("channels", {1, 4096})},
            {"kernel", reader.integers("kernel", {3, 3}, {1, 15})},
            {"pool", reader.integers("pool", {3, 3}, {1, 16}, {1, 1, 1})}};
}

Json normalise(const Json& architecture, const Place& place) {
    const ObjectReader reader(architecture, place,
                              {"stages", "hidden", "norm", "dropout", "reduce"});
    Json stages = Json::array();
    const Json& list = reader.list("stages", {1, 16});
    for (std::size_t i = 0; i < list.size(); ++i)
        stages.push_back(normalise_stage(list[i], reader.place("stages") / i));
    return {{"stages", stages},
            {"hidden", reader.integers("hidden", {0, 8}, {1, 65536}, {})},
            {"norm", reader.choice("norm", {"group", "none"}, "group")},
            {"dropout", reader.number("dropout", {0, 0.99}, 0)},
            {"reduce", reader.choice("reduce", {"mean", "flatten"}, "mean")}};
}

using Shape = std::vector<int>;

Shape input_shape(const ArchitectureSpec& spec) {
    return {spec.clip.frames, spec.clip.side, spec.clip.side};
}

double volume(const Shape& shape) { return static_cast<double>(shape[0]) * shape[1] * shape[2]; }

Shape pooled(Shape shape, const Json& stage) {
    for (std::size_t axis = 0; axis < 3; ++axis) shape[axis] /= stage["pool"][axis].get<int>();
    return shape;
}

std::optional<std::string> shape_problem(const ArchitectureSpec& spec) {
    Shape shape = input_shape(spec);
    const Json& stages = spec.architecture["stages"];
    for (std::size_t i = 0; i < stages.size(); ++i) {
        for (const int extent : stages[i]["kernel"])
            if (extent % 2 == 0)
                return fmt::format(
                    "kernel extent {} of stage {} is even, so padding can't keep "
                    "the shape",
                    extent, i);
        shape = pooled(shape, stages[i]);
        if (volume(shape) == 0)
            return fmt::format("pooling of stage {} shrinks the clip to nothing ({} x {} x {})", i,
                               shape[0], shape[1], shape[2]);
    }
    return std::nullopt;
}

CostEstimate estimate(const ArchitectureSpec& spec) {
    const Json& a = spec.architecture;
    const bool normed = a["norm"] == "group";
    Shape shape = input_shape(spec);
    double parameters = 0, activations = 0, width = 1;
    for (const Json& stage : a["stages"]) {
        const double channels = stage["channels"];
        parameters += channels * (width * volume(stage["kernel"].get<Shape>()) + 1);
        parameters += normed ? 2 * channels : 0;
        activations += channels * volume(shape) * (normed ? 3 : 2);
        shape = pooled(shape, stage);
        activations += channels * volume(shape);
        width = channels;
    }
    width *= a["reduce"] == "flatten" ? volume(shape) : 1;
    std::vector<double> layers = a["hidden"];
    layers.push_back(2);
    for (const double layer : layers) {
        parameters += (width + 1) * layer;
        activations += 2 * layer;
        width = layer;
    }
    return cost_of(parameters, activations, spec);
}

}  // namespace

const Family cnn3d_family{"cnn3d", normalise, shape_problem, estimate};

}  // namespace edgeloop
