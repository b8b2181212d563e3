#pragma once

#include "unit/inference/random_graphs.hpp"

#include "edgeloop/accelerator/circuit.hpp"

#include <algorithm>
#include <string>

namespace edgeloop::accelerator::test {

/// 1 to 3 stages of convolutions of 1 to 8 bits (chains of them in a stage, strides, pools, even
/// kernels), a mean or none, dense layers.
inline inference::Graph random_graph(RandomStream& random) {
    using inference::GraphMaker;
    using inference::one_of;
    using inference::Operation;
    using inference::random_triple;
    const inference::Shape clip{
        1,
        {one_of(random, {1, 2, 4, 5}), one_of(random, {3, 5, 8, 9}), one_of(random, {3, 5, 8, 9})}};
    GraphMaker maker(random, clip, {inference::input_bits, one_of(random, {0, 115, 255})});
    const auto low = [&](bool is_last = false) {
        return GraphMaker::Low{
            1 + int(random.below(8)), is_last ? 0 : one_of(random, {1, 2, 3, 4, 8}),
            random.chance(0.5) ? inference::WeightGrid::odd : inference::WeightGrid::integers};
    };
    const auto channels = [&] { return one_of(random, {1, 2, 3, 5, 8}); };
    const auto stages = 1 + random.below(3);
    for (std::uint64_t i = 0; i < stages; ++i) {
        if (random.chance(0.3)) {  // a chain, as a low-rank convolution is one
            const int rank = one_of(random, {1, 2, 4});
            maker.convolve(Operation::convolution, rank, {1, 1, 1}, {1, 1, 1}, low());
            maker.convolve(Operation::convolution, rank, {3, 1, 1}, {1, 1, 1}, low());
            maker.convolve(Operation::convolution, rank, {1, 3, 1}, {1, 1, 1}, low());
            maker.convolve(Operation::convolution, rank, {1, 1, 3}, {1, 1, 2}, low());
            maker.convolve(Operation::convolution, channels(), {1, 1, 1}, {1, 1, 1}, low());
        } else {
            maker.convolve(Operation::convolution, channels(), random_triple(random, {1, 2, 3}),
                           random_triple(random, {1, 1, 2}), low());
        }
        if (random.chance(0.5)) maker.max_pool(random_triple(random, {1, 2, 3}));
    }
    if (random.chance(0.5)) maker.mean(one_of(random, {4, 8}));
    if (random.chance(0.5))
        maker.convolve(Operation::linear, channels(), {1, 1, 1}, {1, 1, 1}, low());
    maker.convolve(Operation::linear, one_of(random, {1, 2, 3}), {1, 1, 1}, {1, 1, 1}, low(true));
    return maker.take();
}

inline Hardware random_hardware(RandomStream& random, bool has_blocks) {
    constexpr int cycles[] = {1, 30, 100, 300, 1000, 5000, 100000};
    Hardware hardware;
    hardware.cycles = cycles[random.below(7)];
    hardware.weights = random.chance(0.5) ? "lut" : "bram";
    hardware.multipliers = has_blocks && random.chance(0.3) ? "dsp" : "logic";
    return hardware;
}

/// Design number `index` of a series.
inline Circuit random_circuit(std::uint64_t seed, std::uint64_t index,
                              const std::string& part = "zynq7020") {
    RandomStream random(seed, "accelerator designs", 0, index);
    const Part on = part_named(part);
    inference::Graph graph = random_graph(random);
    return circuit_of(std::move(graph), random_hardware(random, on.has.dsp > 0), on);
}

}  // namespace edgeloop::accelerator::test
