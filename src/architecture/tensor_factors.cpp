#include "edgeloop/architecture/low_rank.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <limits>

namespace edgeloop {
namespace {

/// One factor of a convolution in the format tt.
struct Mode {
    int size;
    int axis;    ///< 0 to 2: of the kernel; -1: input or output channels
    int stride;  ///< along the axis
};

std::vector<Mode> modes_of(const TensorLayer& layer) {
    std::vector<Mode> modes;
    if (layer.inputs > 1) modes.push_back({layer.inputs, -1, 1});
    for (int axis = 0; axis < 3; ++axis) {
        const auto d = static_cast<std::size_t>(axis);
        if (layer.kernel[d] > 1 || layer.stride[d] > 1)
            modes.push_back({layer.kernel[d], axis, layer.stride[d]});
    }
    modes.push_back({layer.outputs, -1, 1});
    return modes;
}

/// Of each bond between neighbours: the smaller of what lies on its two sides, or the cap.
Ranks bounded(const std::vector<double>& sizes, int cap) {
    Ranks ranks;
    double all = 1, left = 1;
    for (const double size : sizes) all *= size;
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
        left *= sizes[i];
        ranks.push_back(static_cast<int>(std::min({left, all / left, 1.0 * cap})));
    }
    return ranks;
}

/// Factors of each side of a linear layer: 3 where both are wide, which is where the third one
/// makes the cores much smaller.
int factor_count(const TensorLayer& layer) {
    constexpr int wide = 64;
    return std::min(layer.inputs, layer.outputs) >= wide ? 3 : 2;
}

/// The largest first: cores at the ends have one rank only.
std::vector<int> input_factors(const TensorLayer& layer, int count) {
    std::vector<int> factors = factors_of(layer.inputs, count);
    std::reverse(factors.begin(), factors.end());
    return factors;
}

std::vector<double> mode_sizes(const std::string& format, const TensorLayer& layer) {
    std::vector<double> sizes;
    if (!layer.is_linear) {
        for (const Mode& mode : modes_of(layer)) sizes.push_back(mode.size);
        return sizes;
    }
    const int count = factor_count(layer);
    const std::vector<int> inputs = input_factors(layer, count),
                           outputs = factors_of(layer.outputs, count);
    if (format == "tt") {
        sizes.assign(inputs.begin(), inputs.end());
        sizes.insert(sizes.end(), outputs.begin(), outputs.end());
    } else {
        for (std::size_t k = 0; k < inputs.size(); ++k)
            sizes.push_back(1.0 * inputs[k] * outputs[k]);
    }
    return sizes;
}

std::vector<ChainLink> train_chain(const TensorLayer& layer, const Ranks& ranks) {
    const std::vector<Mode> modes = modes_of(layer);
    EDGELOOP_EXPECT(ranks.size() + 1 == modes.size(), "a rank for each bond");
    std::vector<ChainLink> chain;
    for (std::size_t i = 0; i < modes.size(); ++i) {
        ChainLink link;
        const bool is_first = i == 0, is_last = i + 1 == modes.size();
        link.inputs = is_first ? layer.inputs : ranks[i - 1];
        link.outputs = is_last ? layer.outputs : ranks[i];
        if (modes[i].axis >= 0) {
            link.kernel[static_cast<std::size_t>(modes[i].axis)] = modes[i].size;
            link.stride[static_cast<std::size_t>(modes[i].axis)] = modes[i].stride;
        }
        chain.push_back(link);
    }
    return chain;
}

/// The kernel between two changes of channels, the first of which a single input does not need.
std::vector<ChainLink> bottleneck(const TensorLayer& layer, int before, int after,
                                  bool is_depthwise) {
    const bool is_single = layer.inputs == 1;
    std::vector<ChainLink> chain;
    if (!is_single) chain.push_back({layer.inputs, before});
    chain.push_back(
        {is_single ? 1 : before, after, layer.kernel, layer.stride, is_depthwise && !is_single});
    chain.push_back({after, layer.outputs});
    return chain;
}

}  // namespace

std::vector<int> factors_of(int width, int count) {
    if (count == 1) return {width};
    std::vector<int> best;
    int least = std::numeric_limits<int>::max();
    for (int first = 1; static_cast<std::int64_t>(first) * first <= width; ++first) {
        if (width % first != 0) continue;
        std::vector<int> others = factors_of(width / first, count - 1);
        others.push_back(first);
        std::sort(others.begin(), others.end());
        int sum = 0;
        for (const int factor : others) sum += factor;
        if (sum < least) {
            least = sum;
            best = std::move(others);
        }
    }
    return best;
}

Ranks max_ranks(const std::string& format, const TensorLayer& layer, int cap) {
    if (layer.is_linear || format == "tt") return bounded(mode_sizes(format, layer), cap);
    const auto taps = static_cast<double>(volume(layer.kernel));
    const double inputs = layer.inputs, outputs = layer.outputs, most = cap;
    const auto after = static_cast<int>(std::min({outputs, taps * inputs, most}));
    if (layer.inputs == 1) return {after};
    if (format == "tucker2")
        return {static_cast<int>(std::min({inputs, taps * outputs, most})), after};
    EDGELOOP_EXPECT(format == "cp", "a format of convolutions");
    return {static_cast<int>(std::min({inputs * taps, taps * outputs, inputs * outputs, most}))};
}

std::vector<ChainLink> chain_of(const std::string& format, const TensorLayer& layer,
                                const Ranks& ranks) {
    if (format == "tt") return train_chain(layer, ranks);
    EDGELOOP_EXPECT(!ranks.empty(), "a rank for each bond");
    return bottleneck(layer, ranks.front(), ranks.back(), format == "cp");
}

std::vector<TrainCore> cores_of(const std::string& format, const TensorLayer& layer,
                                const Ranks& ranks) {
    const int count = factor_count(layer);
    const std::vector<int> inputs = input_factors(layer, count),
                           outputs = factors_of(layer.outputs, count);
    const std::size_t factors = inputs.size(), cores = format == "tt" ? 2 * factors : factors;
    EDGELOOP_EXPECT(ranks.size() + 1 == cores, "a rank for each bond");
    std::vector<TrainCore> all(cores);
    for (std::size_t k = 0; k < cores; ++k) {
        all[k].left = k == 0 ? 1 : ranks[k - 1];
        all[k].right = k + 1 == cores ? 1 : ranks[k];
        const bool reads = format != "tt" || k < factors, writes = format != "tt" || k >= factors;
        if (reads) all[k].inputs = inputs[k];
        if (writes) all[k].outputs = outputs[format == "tt" ? k - factors : k];
    }
    return all;
}

}  // namespace edgeloop
