// The kernels of each instruction set this processor has agree with each other; those in use are
// held against the plain way in fused_attention_test.cpp.
#include "model/kernels/attention_kernels.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::kernels::attention_kernels_test {
namespace {

/// One clip of one window: N tokens of which the last is padding, in regions 0 and 1.
class Window {
  public:
    Window(std::int64_t tokens, std::int64_t head_dim, bool has_regions)
        : n_(tokens), d_(head_dim), token_(static_cast<std::size_t>(tokens)) {
        for (std::int64_t i = 0; i < n_; ++i)
            token_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i + 1 < n_ ? i : -1);
        for (std::int64_t i = 0; has_regions && i < n_; ++i)
            region_.push_back(static_cast<std::uint8_t>(i * 3 / n_ % 2));
        shape_.heads = 1;
        shape_.head_dim = d_;
        shape_.clip_tokens = n_ - 1;
        shape_.windows = 1;
        shape_.window_tokens = n_;
        shape_.scale = 0.5f;
        shape_.token = token_.data();
        shape_.region = has_regions ? region_.data() : nullptr;
        RandomStream random(1, "attention kernels");
        const auto fill = [&](std::vector<float>& values, std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i)
                values.push_back(static_cast<float>(random.uniform(-2, 2)));
        };
        fill(qkv_, shape_.clip_tokens * 3 * d_);
        fill(padding_, 3 * d_);
        fill(bias_, n_ * row_stride(n_));
        fill(d_output_, shape_.clip_tokens * d_);
        for (std::int64_t i = 0; i < n_; ++i)
            std::fill(bias_.begin() + i * row_stride(n_) + n_,
                      bias_.begin() + (i + 1) * row_stride(n_), -1e30f);
        shape_.bias = bias_.data();
    }

    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;

    /// Output and the gradients of qkv, padding and bias.
    [[nodiscard]] std::vector<std::vector<float>> run(const AttentionKernels& kernels) const {
        std::vector<float> scratch(static_cast<std::size_t>(kernels.scratch_size(shape_)) + 16);
        float* aligned = scratch.data();
        while (reinterpret_cast<std::uintptr_t>(aligned) % 64 != 0) ++aligned;
        std::vector<float> output(d_output_.size()), d_qkv(qkv_.size()), d_padding(padding_.size()),
            d_bias(bias_.size());
        std::vector<float> log_sum(static_cast<std::size_t>(n_));
        kernels.forward(shape_, {}, {qkv_.data(), padding_.data(), output.data(), log_sum.data()},
                        aligned);
        kernels.backward(shape_, {},
                         {qkv_.data(), padding_.data(), output.data(), log_sum.data(),
                          d_output_.data(), d_qkv.data(), d_padding.data(), d_bias.data()},
                         aligned);
        // What is added to the columns beyond N is nobody's business.
        for (std::int64_t i = 0; i < n_; ++i)
            std::fill(d_bias.begin() + i * row_stride(n_) + n_,
                      d_bias.begin() + (i + 1) * row_stride(n_), 0.0f);
        return {output, d_qkv, d_padding, d_bias};
    }

  private:
    std::int64_t n_, d_;
    std::vector<std::int32_t> token_;
    std::vector<std::uint8_t> region_;
    std::vector<float> qkv_, padding_, bias_, d_output_;
    AttentionShape shape_;
};

double relative_error(const std::vector<float>& values, const std::vector<float>& expected) {
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        difference += std::pow(static_cast<double>(values[i]) - expected[i], 2);
        norm += std::pow(expected[i], 2);
    }
    return std::sqrt(difference / norm);
}

TEST(AttentionKernels, OfAllInstructionSetsAgree) {
    for (const Window& window : {Window(7, 3, true), Window(98, 32, false), Window(98, 32, true),
                                 Window(33, 17, true), Window(392, 8, true)}) {
        const auto expected = window.run(attention_kernels());
        ASSERT_FALSE(expected.empty());
        ASSERT_FALSE(runnable_attention_kernels().empty());
        for (const AttentionKernels* kernels : runnable_attention_kernels()) {
            const auto results = window.run(*kernels);
            ASSERT_EQ(results.size(), expected.size());
            for (std::size_t i = 0; i < results.size(); ++i)
                EXPECT_LT(relative_error(results[i], expected[i]), 1e-5)
                    << kernels->name << ", array " << i;
        }
    }
}

TEST(AttentionKernels, TheFastestAreUsed) {
    EXPECT_STREQ(attention_kernels().name, runnable_attention_kernels().front()->name);
    EXPECT_STREQ(runnable_attention_kernels().back()->name, "portable");
}

}  // namespace
}  // namespace edgeloop::kernels::attention_kernels_test
