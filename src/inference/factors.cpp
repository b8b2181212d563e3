#include "edgeloop/inference/factors.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>

namespace edgeloop::inference {
namespace {

using Numbers = std::vector<double>;

std::size_t size_of(std::int64_t number) { return static_cast<std::size_t>(number); }

/// A convolution that is being put together: (outputs, inputs, t, h, w).
struct Kernel {
    std::size_t outputs = 1, inputs = 1;
    Extent3 extent{1, 1, 1};
    Numbers values;

    [[nodiscard]] std::size_t place(std::size_t output, std::size_t input, int t, int h,
                                    int w) const {
        const auto taps = (std::int64_t{t} * extent[1] + h) * extent[2] + w;
        return (output * inputs + input) * size_of(volume(extent)) + size_of(taps);
    }
};

/// The link after the kernel: along each axis one of the two has more than one tap at most.
Kernel followed_by(const Kernel& before, const ChainLink& link, const std::vector<float>& weights) {
    Kernel joined;
    joined.outputs = size_of(link.outputs);
    joined.inputs = before.inputs;
    for (std::size_t d = 0; d < 3; ++d)
        joined.extent[d] = std::max(before.extent[d], link.kernel[d]);
    joined.values.assign(joined.outputs * joined.inputs * size_of(volume(joined.extent)), 0);
    const std::size_t read = link.is_depthwise ? 1 : size_of(link.inputs);
    const Kernel own{joined.outputs, read, link.kernel, {}};
    const auto of = [](const Extent3& extent, std::size_t d, int at) {
        return extent[d] > 1 ? at : 0;
    };
    for (std::size_t o = 0; o < joined.outputs; ++o)
        for (std::size_t r = 0; r < read; ++r)
            for (int t = 0; t < joined.extent[0]; ++t)
                for (int h = 0; h < joined.extent[1]; ++h)
                    for (int w = 0; w < joined.extent[2]; ++w) {
                        const double factor =
                            weights[own.place(o, r, of(own.extent, 0, t), of(own.extent, 1, h),
                                              of(own.extent, 2, w))];
                        const std::size_t channel = link.is_depthwise ? o : r;
                        for (std::size_t i = 0; i < joined.inputs; ++i)
                            joined.values[joined.place(o, i, t, h, w)] +=
                                factor * before.values[before.place(
                                             channel, i, of(before.extent, 0, t),
                                             of(before.extent, 1, h), of(before.extent, 2, w))];
                    }
    return joined;
}

/// (a, b) times (b, c).
Numbers product(const Numbers& left, const Numbers& right, std::size_t a, std::size_t b,
                std::size_t c) {
    Numbers result(a * c, 0);
    for (std::size_t i = 0; i < a; ++i)
        for (std::size_t k = 0; k < b; ++k)
            for (std::size_t j = 0; j < c; ++j)
                result[i * c + j] += left[i * b + k] * right[k * c + j];
    return result;
}

Numbers transposed(const Numbers& matrix, std::size_t rows, std::size_t columns) {
    Numbers result(matrix.size());
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j) result[j * rows + i] = matrix[i * columns + j];
    return result;
}

Numbers numbers(const std::vector<float>& values) { return {values.begin(), values.end()}; }

std::vector<float> floats(const Numbers& values) {
    std::vector<float> result;
    result.reserve(values.size());
    for (const double value : values) result.push_back(static_cast<float>(value));
    return result;
}

/// Cores first to last, merged: (product of their modes, the last one's right rank).
Numbers merged(const std::vector<TrainCore>& cores, const FactorWeights& weights, std::size_t first,
               std::size_t end) {
    std::size_t width = size_of(cores[first].left);
    Numbers all = Numbers(width * width, 0);
    for (std::size_t i = 0; i < width; ++i) all[i * width + i] = 1;
    for (std::size_t k = first; k < end; ++k) {
        const TrainCore& core = cores[k];
        const std::size_t mode = size_of(std::int64_t{core.inputs} * core.outputs);
        all = product(all, numbers(weights[k]), width, size_of(core.left),
                      mode * size_of(core.right));
        width *= mode;
    }
    return all;
}

}  // namespace

std::vector<float> merged_convolution(const FactoredLayer& convolution,
                                      const FactorWeights& links) {
    const std::vector<ChainLink> chain = convolution.chain();
    EDGELOOP_EXPECT(links.size() == chain.size(), "weights of each link");
    const std::size_t inputs = size_of(convolution.layer.inputs);
    Kernel kernel{inputs, inputs, {1, 1, 1}, Numbers(inputs * inputs, 0)};
    for (std::size_t i = 0; i < inputs; ++i) kernel.values[kernel.place(i, i, 0, 0, 0)] = 1;
    for (std::size_t i = 0; i < chain.size(); ++i) kernel = followed_by(kernel, chain[i], links[i]);
    return floats(kernel.values);
}

TrainHalves merged_halves(const FactoredLayer& linear, const FactorWeights& cores) {
    const std::vector<TrainCore> shapes = linear.cores();
    EDGELOOP_EXPECT(linear.format == "tt" && cores.size() == shapes.size(), "cores of tt");
    const std::size_t half = shapes.size() / 2;
    TrainHalves halves;
    halves.rank = shapes[half].left;
    const std::size_t rank = size_of(halves.rank);
    const Numbers before = merged(shapes, cores, 0, half);
    halves.before = floats(transposed(before, size_of(linear.layer.inputs), rank));
    // (rank times outputs, 1), the rank first.
    const Numbers after = merged(shapes, cores, half, shapes.size());
    const std::size_t outputs = size_of(linear.layer.outputs);
    Numbers own(outputs * rank);
    for (std::size_t r = 0; r < rank; ++r)
        for (std::size_t m = 0; m < outputs; ++m) own[m * rank + r] = after[r * outputs + m];
    halves.after = floats(own);
    return halves;
}

std::vector<float> merged_linear(const FactoredLayer& linear, const FactorWeights& cores) {
    const std::size_t inputs = size_of(linear.layer.inputs),
                      outputs = size_of(linear.layer.outputs);
    if (linear.format == "tt") {
        const TrainHalves halves = merged_halves(linear, cores);
        return floats(product(numbers(halves.after), numbers(halves.before), outputs,
                              size_of(halves.rank), inputs));
    }
    const std::vector<TrainCore> shapes = linear.cores();
    const Numbers all = merged(shapes, cores, 0, shapes.size());
    // Pairs (output, input) of each factor become all outputs and then all inputs.
    std::vector<float> result(outputs * inputs);
    for (std::size_t at = 0; at < all.size(); ++at) {
        std::size_t rest = at, output = 0, input = 0, out_scale = 1, in_scale = 1;
        for (std::size_t k = shapes.size(); k-- > 0;) {
            input += rest % size_of(shapes[k].inputs) * in_scale;
            rest /= size_of(shapes[k].inputs);
            output += rest % size_of(shapes[k].outputs) * out_scale;
            rest /= size_of(shapes[k].outputs);
            in_scale *= size_of(shapes[k].inputs);
            out_scale *= size_of(shapes[k].outputs);
        }
        result[output * inputs + input] = static_cast<float>(all[at]);
    }
    return result;
}

bool runs_as_factors(const FactoredLayer& layer) {
    const std::int64_t dense =
        std::int64_t{layer.layer.inputs} * layer.layer.outputs * volume(layer.layer.kernel);
    if (layer.layer.is_linear) {
        if (layer.format != "tt") return false;
        const std::vector<TrainCore> cores = layer.cores();
        const std::int64_t rank = cores[cores.size() / 2].left;
        return rank * (std::int64_t{layer.layer.inputs} + layer.layer.outputs) < dense;
    }
    std::int64_t factors = 0;
    for (const ChainLink& link : layer.chain()) factors += link.weights();
    return factors < dense;
}

}  // namespace edgeloop::inference
