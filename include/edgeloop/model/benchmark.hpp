#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/model/kernels.hpp"
#include "edgeloop/model/processor.hpp"

#include <array>
#include <cstdint>

namespace edgeloop {

/// What to time.
enum class Pass { forward, training_step };

struct BenchmarkSettings {
    std::array<std::int64_t, 5> input{1, 1, 16, 64, 64};  ///< (batch, 1, frames, height, width)
    Kernels kernels = Kernels::fused;
    bool frozen = false;  ///< as a frozen TorchScript module, what an exported file holds
    /// All matrix products ahead of the passes instead of one before each: a small network then
    /// finds its weights in the caches, as one that is always at work does.
    bool back_to_back = false;
    Processor processor = Processor::cpu;
    bool mixed_precision = false;  ///< products in bfloat16, the floor's too
    Pass pass = Pass::forward;
    int threads = 1;
    int warm_up = 2;
    int repetitions = 10;
};

/// Times of whole passes; each repetition also times one large matrix product, so that both see the
/// same state of the machine.
struct BenchmarkResult {
    double median_ms = 0, p90_ms = 0, min_ms = 0;
    double flops = 0;             ///< of the timed pass; a training step is 3 forward passes
    double gemm_gflop_per_s = 0;  ///< median rate of the large matrix product
    double floor_ms = 0;          ///< flops at that rate
    double ratio = 0;             ///< median_ms / floor_ms
    double cpu_ratio = 0;  ///< the same from processor time, for machines that others use too
    /// Largest sum of tensors alive at once during a pass, without weights and input.
    std::int64_t peak_bytes = 0;
};

/// Times forward passes in evaluation mode without gradients, or training steps: forward in
/// training mode, mean squared error, backward (the optimiser's step is not part of it).
///
/// @throws ConfigError  the design cannot be built or does not take such input.
[[nodiscard]] BenchmarkResult benchmark(const ArchitectureSpec& spec,
                                        const BenchmarkSettings& settings);

/// Names with units, as `edgeloop-model benchmark --json` prints them.
[[nodiscard]] Json to_json(const BenchmarkResult& result, const BenchmarkSettings& settings);

}  // namespace edgeloop
