#include "inference/packing.hpp"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace edgeloop::inference {
namespace {

/// Window of a convolution over its padded input: stretches of positions that lie one after the
/// other.
struct Window {
    Triple kernel{};
    int run_count = 0;
    int run_positions = 0;
    std::vector<std::int32_t> starts;  ///< in positions
};

Window window_of(const Layer& layer, const Place& input) {
    Window window;
    const bool is_linear = layer.operation == Operation::linear;
    window.kernel = is_linear ? input.shape.grid : layer.kernel;
    const Triple& k = window.kernel;
    const Triple grid = input.padded();
    // Whole rows, and whole images, are one stretch.
    const bool are_rows_whole = k[2] == grid[2];
    const bool are_images_whole = are_rows_whole && k[1] == grid[1];
    const int outer = are_images_whole ? 1 : k[0];
    const int inner = are_rows_whole ? 1 : k[1];
    window.run_count = outer * inner;
    window.run_positions = k[0] * k[1] * k[2] / window.run_count;
    for (int t = 0; t < outer; ++t)
        for (int h = 0; h < inner; ++h) window.starts.push_back((t * grid[1] + h) * grid[2]);
    return window;
}

/// A weight as a sum of 2^plane times digits -1, 0 and 1: bits of planes.
struct Digits {
    unsigned any = 0, negative = 0;
};

/// Odd numbers have no digit 0: bits of codes that are 0 stand for -1. Others have the digits of
/// their magnitude, all with their sign, and one fewer.
bool has_odd_digits(const Quantisation& integer) {
    return weight_step(integer.weight_bits, integer.grid) == 2;
}
int digit_planes(const Quantisation& integer) {
    return has_odd_digits(integer) ? integer.weight_bits : integer.weight_bits - 1;
}
Digits digits_of(int q, const Quantisation& integer) {
    if (has_odd_digits(integer)) {
        const unsigned all = (1U << static_cast<unsigned>(integer.weight_bits)) - 1;
        return {all, all & ~code_of_weight(q, integer.weight_bits, integer.grid)};
    }
    const auto magnitude = static_cast<unsigned>(std::abs(q));
    return {magnitude, q < 0 ? magnitude : 0};
}

/// Groups of 4 that a sum of 16 bits holds for certain: each adds two products.
constexpr int least_room = 2;
int short_room(const Quantisation& integer, int of_inputs) {
    const int most = weight_range(integer.weight_bits, integer.grid).high;
    if (most > std::numeric_limits<std::int8_t>::max()) return 0;
    return std::numeric_limits<std::int16_t>::max() / (2 * most * activation_range(of_inputs).high);
}

/// What of a window a run has, and of a run a group.
class Packer {
  public:
    Packer(const Layer& layer, const Place& input, const Kernels& kernels,
           PackedConvolution& packed)
        : layer_(layer),
          window_(window_of(layer, input)),
          lanes_(kernels.lanes),
          inputs_(input.shape.channels),
          outputs_(layer.outputs),
          packed_(packed) {
        packed_.kernel = window_.kernel;
        packed_.vectors = (outputs_ + lanes_ - 1) / lanes_;
    }

    /// @param pitch  elements of a position.
    void set_runs(int pitch, int group) {
        for (const std::int32_t start : window_.starts) packed_.runs.push_back(start * pitch);
        packed_.groups = (window_.run_positions * pitch + group - 1) / group;
    }

    /// Dense weights of any type: [vector][run][group][lane][element].
    template <class Weight, class At>
    void dense(int group, const At& at) {
        set_runs(inputs_, group);
        const int elements = window_.run_positions * inputs_;
        packed_.vector_weights =
            std::ptrdiff_t{window_.run_count} * packed_.groups * lanes_ * group;
        auto* const to = room<Weight>(packed_.vectors * packed_.vector_weights);
        for (int c = 0; c < outputs_; ++c)
            for (int run = 0; run < window_.run_count; ++run)
                for (int i = 0; i < elements; ++i) {
                    const std::ptrdiff_t block = std::ptrdiff_t{run} * packed_.groups + i / group;
                    to[c / lanes_ * packed_.vector_weights + (block * lanes_ + c % lanes_) * group +
                       i % group] =
                        static_cast<Weight>(at(weight(c, run * elements + i, elements)));
                }
    }

    /// Planes of digits: [vector][plane][run][group][not 0, -1][lane].
    /// @return  of each channel the sum of its digits -1, times 2^plane.
    [[nodiscard]] std::vector<std::int32_t> bits() {
        const Quantisation& integer = layer_.integer;
        const int pitch = plane_bytes(inputs_);
        constexpr int group = 8;
        set_runs(pitch, group);
        packed_.weight_planes = digit_planes(integer);
        packed_.weight_plane = std::ptrdiff_t{window_.run_count} * packed_.groups * lanes_ * 2;
        packed_.vector_weights = packed_.weight_plane * packed_.weight_planes;
        auto* const to = room<std::uint64_t>(packed_.vectors * packed_.vector_weights);
        const int elements = window_.run_positions * inputs_;
        std::vector<std::int32_t> negative(static_cast<std::size_t>(outputs_), 0);
        for (int c = 0; c < outputs_; ++c)
            for (int run = 0; run < window_.run_count; ++run)
                for (int i = 0; i < elements; ++i) {
                    const Digits digits = digits_of(
                        integer.weights[weight(c, run * elements + i, elements)], integer);
                    const int bit = i / inputs_ * pitch * 8 + i % inputs_;
                    const std::ptrdiff_t place =
                        c / lanes_ * packed_.vector_weights +
                        (std::ptrdiff_t{run} * packed_.groups + bit / 64) * lanes_ * 2 + c % lanes_;
                    for (int plane = 0; plane < packed_.weight_planes; ++plane) {
                        std::uint64_t* const at = to + place + plane * packed_.weight_plane;
                        at[0] |= std::uint64_t{(digits.any >> plane) & 1U} << (bit % 64);
                        at[lanes_] |= std::uint64_t{(digits.negative >> plane) & 1U} << (bit % 64);
                    }
                    negative[static_cast<std::size_t>(c)] +=
                        static_cast<std::int32_t>(digits.negative);
                }
        return negative;
    }

    /// One tap a run: [vector][tap][lane].
    template <class Weight, class At>
    void depthwise(const Place& input, const At& at) {
        const Triple& k = window_.kernel;
        const Triple grid = input.padded();
        for (int t = 0; t < k[0]; ++t)
            for (int h = 0; h < k[1]; ++h)
                for (int w = 0; w < k[2]; ++w)
                    packed_.runs.push_back(((t * grid[1] + h) * grid[2] + w) * inputs_);
        packed_.groups = 1;
        const auto taps = static_cast<std::ptrdiff_t>(packed_.runs.size());
        packed_.vector_weights = taps * lanes_;
        auto* const to = room<Weight>(packed_.vectors * packed_.vector_weights);
        for (int c = 0; c < outputs_; ++c)
            for (std::ptrdiff_t tap = 0; tap < taps; ++tap)
                to[c / lanes_ * packed_.vector_weights + tap * lanes_ + c % lanes_] =
                    static_cast<Weight>(at(static_cast<std::size_t>(c * taps + tap)));
    }

    /// A list of channels, as long as whole vectors.
    template <class To, class From>
    [[nodiscard]] std::vector<To> whole(const std::vector<From>& list, To rest = {}) const {
        std::vector<To> result(list.begin(), list.end());
        result.resize(static_cast<std::size_t>(packed_.vectors * lanes_), rest);
        return result;
    }

  private:
    template <class Weight>
    Weight* room(std::ptrdiff_t count) {
        packed_.weight_bytes = sizeof(Weight);
        packed_.weights =
            aligned_memory(static_cast<std::size_t>(count) * sizeof(Weight) + slack_bytes);
        return reinterpret_cast<Weight*>(packed_.weights.get());
    }
    [[nodiscard]] std::size_t weight(int channel, int index, int run_elements) const {
        return static_cast<std::size_t>(channel) * static_cast<std::size_t>(window_.run_count) *
                   static_cast<std::size_t>(run_elements) +
               static_cast<std::size_t>(index);
    }

    const Layer& layer_;
    Window window_;
    int lanes_, inputs_, outputs_;
    PackedConvolution& packed_;
};

void pack_integers(const Layer& layer, const Kernels& kernels, Packer& packer,
                   PackedConvolution& packed) {
    const Quantisation& integer = layer.integer;
    const auto weight = [&](std::size_t i) { return integer.weights[i]; };
    if (kernels.is_wide) return packer.dense<std::int16_t>(kernels.integer_group, weight);
    // Odd numbers of 8 bits are 2 k + 1 with k in a byte.
    if (integer.weight_bits == 8 && integer.grid == WeightGrid::odd) {
        packed.factor = 2;
        packed.window_factor = 1;
        return packer.dense<std::int8_t>(kernels.integer_group,
                                         [&](std::size_t i) { return (weight(i) - 1) / 2; });
    }
    packer.dense<std::int8_t>(kernels.integer_group, weight);
}

/// The least accumulator whose result is `high` or more, or the largest there is.
std::int32_t cap_of(const Dyadic& ratio, int high) {
    constexpr std::int64_t largest = std::numeric_limits<std::int32_t>::max();
    if (ratio.multiplier == 0) return largest;
    // high <= (a multiplier + 2^(shift - 1)) / 2^shift, in numbers that no shift makes overflow.
    const double least = std::ceil((high - 0.5) * std::ldexp(1.0, ratio.shift) / ratio.multiplier);
    if (least > static_cast<double>(largest)) return largest;
    auto cap = static_cast<std::int64_t>(least);
    while (cap < largest && rounded_shift(cap * ratio.multiplier, ratio.shift) < high) ++cap;
    return static_cast<std::int32_t>(cap);
}

}  // namespace

std::shared_ptr<std::byte[]> aligned_memory(std::size_t bytes) {
    const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
    void* const memory = std::aligned_alloc(alignment, whole);
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0, whole);
    return {static_cast<std::byte*>(memory), [](std::byte* begin) { std::free(begin); }};
}

Form form_of(const Layer& layer, const Place& input, const Kernels& kernels, int bits) {
    const bool is_integer = layer.integer.weight_bits != 0;
    if (layer.operation == Operation::depthwise)
        return is_integer ? Form::integer_depthwise : Form::real_depthwise;
    if (!is_integer) return Form::real;
    const Form integers =
        kernels.short_row != nullptr && short_room(layer.integer, input.elements.bits) >= least_room
            ? Form::shorts
            : Form::integers;
    constexpr int max_pairs = 8;
    const int pairs = digit_planes(layer.integer) * input.elements.bits;
    if (bits == 0 || pairs > max_pairs || input.elements.zero != 0) return integers;
    const Window window = window_of(layer, input);
    const auto groups = [&](int elements, int group) { return (elements + group - 1) / group; };
    const int plane_groups =
        groups(window.run_positions * plane_bytes(input.shape.channels), 8) * pairs;
    // A group of 4 with sums of 16 bits takes as long as one of 2 with sums of 32.
    const int integer_groups = groups(window.run_positions * input.shape.channels,
                                      integers == Form::shorts ? 4 : kernels.integer_group);
    const bool pays = plane_groups * kernels.bits_cost < integer_groups;
    return bits == 2 || pays ? Form::bits : integers;
}

PackedConvolution pack(const Layer& layer, const Place& input, Form form, const Kernels& kernels) {
    PackedConvolution packed;
    packed.form = form;
    Packer packer(layer, input, kernels, packed);
    const Quantisation& integer = layer.integer;
    std::vector<std::int32_t> bias = integer.bias;
    switch (form) {
        case Form::real:
            packer.dense<float>(1, [&](std::size_t i) { return layer.weights[i]; });
            break;
        case Form::integers:
            pack_integers(layer, kernels, packer, packed);
            break;
        case Form::bits: {
            const int ones = activation_range(input.elements.bits).high;
            const std::vector<std::int32_t> negative = packer.bits();
            // Within the bounds of the sums, which kinds_of() checks.
            for (std::size_t c = 0; c < bias.size(); ++c) bias[c] -= ones * negative[c];
            break;
        }
        case Form::shorts:
            packed.room = short_room(integer, input.elements.bits);
            packer.dense<std::int8_t>(4, [&](std::size_t i) { return integer.weights[i]; });
            break;
        case Form::real_depthwise:
            packer.depthwise<float>(input, [&](std::size_t i) { return layer.weights[i]; });
            break;
        case Form::integer_depthwise:
            packer.depthwise<std::int32_t>(input,
                                           [&](std::size_t i) { return integer.weights[i]; });
            break;
    }
    packed.real_bias = packer.whole<float>(layer.bias);
    packed.scales = packer.whole<float>(integer.scales);
    packed.bias = packer.whole<std::int32_t>(bias);
    std::vector<std::int32_t> multipliers, shifts, caps;
    for (const Dyadic& ratio : integer.ratios) {
        caps.push_back(cap_of(ratio, activation_range(integer.output_bits).high));
        multipliers.push_back(ratio.multiplier);
        shifts.push_back(ratio.shift);
    }
    packed.multipliers = packer.whole<std::int32_t>(multipliers);
    packed.shifts = packer.whole<std::int32_t>(shifts, 1);
    packed.caps = packer.whole<std::int32_t>(caps);
    packed.residual_multipliers = packer.whole<std::int32_t>(integer.residual);
    return packed;
}

}  // namespace edgeloop::inference
