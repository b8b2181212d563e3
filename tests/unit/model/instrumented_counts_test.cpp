// Counts against what LibTorch really runs: every matrix product and convolution is observed as it
// is dispatched, every tensor as it is allocated.

#include "model/memory_meter.hpp"
#include "model/network.hpp"
#include "unit/model/random_designs.hpp"
#include "unit/model/specs.hpp"

#include "edgeloop/architecture/families.hpp"

#include <ATen/record_function.h>
#include <gtest/gtest.h>
#include <torch/version.h>

namespace edgeloop::instrumented_counts_test {
namespace {

/// FLOPs of the operators this thread dispatched since the last reset.
struct ObservedFlops {
    std::int64_t matrix = 0, convolution = 0;
    int open_convolutions = 0;  ///< products inside a convolution are its own business
};
thread_local ObservedFlops observed;

bool is_convolution(const at::RecordFunction& function) {
    return std::string(function.name()) == "aten::convolution";
}

std::unique_ptr<at::ObserverContext> on_start(const at::RecordFunction& function) {
    if (is_convolution(function)) ++observed.open_convolutions;
    return nullptr;
}

void on_end(const at::RecordFunction& function, at::ObserverContext*) {
    const std::string name = function.name();
    const auto tensor = [&](std::size_t i) { return function.inputs()[i].toTensor(); };
    if (name == "aten::convolution") {
        --observed.open_convolutions;
        const torch::Tensor output = function.outputs()[0].toTensor(), weight = tensor(1);
        observed.convolution += 2 * output.numel() / output.size(1) * weight.numel();
    } else if (observed.open_convolutions == 0) {
        if (name == "aten::mm" || name == "aten::bmm")
            observed.matrix += 2 * tensor(0).numel() * tensor(1).size(-1);
        if (name == "aten::addmm" || name == "aten::baddbmm")
            observed.matrix += 2 * tensor(1).numel() * tensor(2).size(-1);
    }
}

/// Observes while it lives.
class FlopObserver {
  public:
    FlopObserver()
        : handle_(at::addThreadLocalCallback(
              at::RecordFunctionCallback(on_start, on_end).needsInputs(true).needsOutputs(true))) {
        observed = {};
    }
    ~FlopObserver() { at::removeCallback(handle_); }
    FlopObserver(const FlopObserver&) = delete;
    FlopObserver& operator=(const FlopObserver&) = delete;

  private:
    at::CallbackHandle handle_;
};

torch::Tensor clip_for(const ArchitectureSpec& spec) {
    return torch::rand({1, 1, spec.clip.frames, spec.clip.side, spec.clip.side});
}

std::int64_t attention_flops(const ModelCounts& counts) {
    std::int64_t flops = 0;
    for (const LayerCounts& layer : counts.layers)
        if (layer.kind.find("attention") != std::string::npos) flops += layer.flops;
    return flops;
}

class InstrumentedCounts : public testing::TestWithParam<std::string> {};

TEST_P(InstrumentedCounts, EqualWhatRuns) {
    const SearchSpace space = SearchSpace::from_file(GetParam());
    const test::DesignBudget budget = test::design_budget();
    RandomStream random(1, "instrumented counts");
    const torch::NoGradGuard no_grad;
    for (int number = 0; number < budget.designs; ++number) {
        const ArchitectureSpec spec = test::random_design(space, random, budget);
        SCOPED_TRACE(spec.canonical());
        const ModelCounts counts = count(spec);
        const auto network = make_network(spec, 1);
        network->eval();
        network->set_kernels(Kernels::plain);
        std::int64_t parameters = 0;
        for (const torch::Tensor& parameter : network->parameters())
            parameters += parameter.numel();
        ASSERT_EQ(counts.parameters, parameters);
        const torch::Tensor clip = clip_for(spec);
        const FlopObserver observer;
        static_cast<void>(network->forward(clip));
        ASSERT_EQ(counts.matrix_flops, observed.matrix);
        ASSERT_EQ(counts.convolution_flops, observed.convolution);
    }
}

TEST_P(InstrumentedCounts, MemoryIsWhatIsAllocated) {
    constexpr std::int64_t output_bytes = 2 * sizeof(float);
    const SearchSpace space = SearchSpace::from_file(GetParam());
    const test::DesignBudget budget = test::design_budget();
    RandomStream random(2, "instrumented memory");
    double smallest_share = 1;
    for (int number = 0; number < budget.designs; ++number) {
        const ArchitectureSpec spec = test::random_design(space, random, budget);
        SCOPED_TRACE(spec.canonical());
        // A network that is built has no scales, which belong to training.
        const ModelCounts counts = count(with_final_ranks(spec));
        const auto network = make_network(spec, 1);
        const torch::Tensor clip = clip_for(spec);
        {
            const MemoryMeter meter;
            const torch::Tensor output = network->forward(clip);
            const std::int64_t freed = TORCH_VERSION_MAJOR < 2 ? 0 : counts.mean_input_bytes;
            const std::int64_t counted = counts.training_activation_bytes - freed;
            const std::int64_t allocated = meter.live_bytes() - output_bytes;
            if (spec.quantisation.is_float())
                EXPECT_EQ(counted + counts.rounding_bytes, allocated);
            else  // of rounding copies at most
                EXPECT_GE(counted + counts.rounding_bytes, allocated);
        }
        network->eval();
        const torch::NoGradGuard no_grad;
        const MemoryMeter meter;
        static_cast<void>(network->forward(clip));
        const double share = static_cast<double>(counts.inference_activation_bytes) /
                             static_cast<double>(meter.peak_bytes());
        EXPECT_LE(share, 1);
        smallest_share = std::min(smallest_share, share);
    }
    std::cout << GetParam() << ": inference, counted over allocated, at least " << smallest_share
              << '\n';
}

TEST(InstrumentedFusedKernels, RunNoOtherProductsThanCounted) {
    const ArchitectureSpec spec = test::small_swin3d(5, 27);
    const ModelCounts counts = count(spec);
    const auto network = make_network(spec, 1);
    const torch::NoGradGuard no_grad;
    const FlopObserver observer;
    static_cast<void>(network->forward(clip_for(spec)));
    EXPECT_EQ(observed.matrix + observed.convolution, counts.flops - attention_flops(counts));
}

INSTANTIATE_TEST_SUITE_P(Spaces, InstrumentedCounts,
                         testing::ValuesIn(test::shipped_space_names()));

}  // namespace
}  // namespace edgeloop::instrumented_counts_test
