#include "architecture/families.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace edgeloop {
namespace {

Json normalise_stage(const Json& stage, const Place& place) {
    const ObjectReader reader(stage, place,
                              {"channels", "expansion", "kernel", "stride", "repeats", "squeeze"});
    return {{"channels", reader.integer("channels", {1, 4096})},
            {"expansion", reader.number("expansion", {0.25, 16}, 4)},
            {"kernel", reader.integers("kernel", {3, 3}, {1, 15}, {3, 3, 3})},
            {"stride", reader.integers("stride", {3, 3}, {1, 8}, {1, 1, 1})},
            {"repeats", reader.integer("repeats", {1, 32}, 1)},
            {"squeeze", reader.number("squeeze", {0, 1}, 0)}};
}

Json normalise(const Json& architecture, const Place& place) {
    const ObjectReader reader(architecture, place, {"stem", "stages", "head", "dropout"});
    Json stages = Json::array();
    const Json& list = reader.list("stages", {1, 16});
    for (std::size_t i = 0; i < list.size(); ++i)
        stages.push_back(normalise_stage(list[i], reader.place("stages") / i));
    return {{"stem", reader.integer("stem", {1, 4096})},
            {"stages", stages},
            {"head", reader.integer("head", {1, 65536})},
            {"dropout", reader.number("dropout", {0, 0.99}, 0)}};
}

using Shape = std::vector<int>;

double volume(const Shape& shape) { return static_cast<double>(shape[0]) * shape[1] * shape[2]; }

std::optional<std::string> shape_problem(const ArchitectureSpec& spec) {
    Shape shape{spec.clip.frames, spec.clip.side, spec.clip.side};
    const Json& stages = spec.architecture["stages"];
    for (std::size_t i = 0; i < stages.size(); ++i) {
        for (const int extent : stages[i]["kernel"])
            if (extent % 2 == 0)
                return fmt::format(
                    "kernel extent {} of stage {} is even, so padding can't keep "
                    "the shape",
                    extent, i);
        for (std::size_t axis = 0; axis < 3; ++axis) {
            const int stride = stages[i]["stride"][axis];
            if (stride > shape[axis])
                return fmt::format(
                    "stride {} of stage {} is larger than what is left of the clip "
                    "({} x {} x {})",
                    stride, i, shape[0], shape[1], shape[2]);
            shape[axis] = (shape[axis] + stride - 1) / stride;
        }
    }
    return std::nullopt;
}

CostEstimate estimate(const ArchitectureSpec& spec) {
    const Json& a = spec.architecture;
    Shape shape{spec.clip.frames, spec.clip.side, spec.clip.side};
    double width = a["stem"];
    double parameters = width * (27 + 2), activations = 3 * width * volume(shape);
    for (const Json& stage : a["stages"]) {
        const double channels = stage["channels"], squeeze = stage["squeeze"];
        const double taps = volume(stage["kernel"].get<Shape>());
        for (int repeat = 0; repeat < stage["repeats"].get<int>(); ++repeat) {
            const double inner =
                std::max(1.0, std::round(width * stage["expansion"].get<double>()));
            const double inside = volume(shape);
            if (repeat == 0)
                for (std::size_t axis = 0; axis < 3; ++axis) {
                    const int stride = stage["stride"][axis];
                    shape[axis] = (shape[axis] + stride - 1) / stride;
                }
            parameters += inner * (width + taps + channels + 4) + 2 * channels;
            if (squeeze > 0) {
                const double gate = std::max(1.0, std::round(inner * squeeze));
                parameters += (inner + 1) * gate + (gate + 1) * inner;
            }
            activations += 3 * inner * (inside + volume(shape)) + 3 * channels * volume(shape);
            width = channels;
        }
    }
    const double head = a["head"];
    parameters += head * (width + 2) + (head + 1) * 2;
    activations += 3 * head * volume(shape);
    return cost_of(parameters, activations, spec);
}

}  // namespace

const Family mbconv3d_family{"mbconv3d", normalise, shape_problem, estimate};

}  // namespace edgeloop
