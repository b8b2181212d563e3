#include "model/depthwise_conv3d.hpp"

#include "edgeloop/model/threads.hpp"

#include <gtest/gtest.h>

namespace edgeloop::depthwise_conv3d_test {
namespace {

struct Case {
    std::vector<std::int64_t> input;
    Extent3 kernel, stride;
};

class DepthwiseConv3d : public testing::TestWithParam<Case> {
  protected:
    struct Results {
        torch::Tensor output, d_x, d_weight;
    };
    static Results run(torch::ScalarType type, int threads = 1) {
        const auto& [input, kernel, stride] = GetParam();
        torch::manual_seed(2);
        const torch::Tensor x = torch::randn(input).to(type).set_requires_grad(true);
        const torch::Tensor weight = torch::randn({input[1], 1, kernel[0], kernel[1], kernel[2]})
                                         .to(type)
                                         .set_requires_grad(true);
        set_compute_threads(threads);
        const torch::Tensor output = depthwise_conv3d(x, weight, stride);
        (output * torch::arange(output.numel(), output.options()).sin().reshape(output.sizes()))
            .sum()
            .backward();
        set_compute_threads(1);
        return {output.detach(), x.grad(), weight.grad()};
    }
};

double relative_error(const torch::Tensor& value, const torch::Tensor& expected) {
    return ((value.to(torch::kDouble) - expected).norm() / expected.norm()).item<double>();
}

// Doubles take LibTorch's way: the reference.
TEST_P(DepthwiseConv3d, AgreesWithLibTorchInDoublePrecision) {
    const Results own = run(torch::kFloat), expected = run(torch::kDouble);
    ASSERT_EQ(own.output.sizes(), expected.output.sizes());
    EXPECT_LT(relative_error(own.output, expected.output), 1e-6);
    EXPECT_LT(relative_error(own.d_x, expected.d_x), 1e-6);
    EXPECT_LT(relative_error(own.d_weight, expected.d_weight), 1e-5);
}

TEST_P(DepthwiseConv3d, DoesNotDependOnTheNumberOfThreads) {
    const Results one = run(torch::kFloat), three = run(torch::kFloat, 3);
    EXPECT_TRUE(torch::equal(one.output, three.output));
    EXPECT_TRUE(torch::equal(one.d_x, three.d_x));
    EXPECT_TRUE(torch::equal(one.d_weight, three.d_weight));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, DepthwiseConv3d,
    testing::Values(Case{{2, 3, 4, 9, 11}, {3, 3, 3}, {1, 1, 1}},
                    Case{{1, 5, 5, 8, 21}, {3, 5, 3}, {2, 2, 2}},
                    Case{{2, 2, 1, 1, 1}, {3, 3, 3}, {1, 2, 2}},    // kernel larger than the map
                    Case{{1, 4, 6, 7, 3}, {1, 3, 7}, {1, 3, 4}},    // stride larger than the row
                    Case{{3, 1, 2, 40, 37}, {5, 1, 1}, {2, 1, 1}},  // taps along time only
                    Case{{1, 2, 3, 6, 6}, {1, 1, 1}, {1, 1, 1}}));

}  // namespace
}  // namespace edgeloop::depthwise_conv3d_test
