#include "model/fused_layers.hpp"

#include <gtest/gtest.h>

namespace edgeloop::fused_layers_test {
namespace {

void fill(torch::nn::Module& module) {
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& parameter : module.parameters()) parameter.normal_();
}

double relative_error(const torch::Tensor& value, const torch::Tensor& expected) {
    return ((value - expected).norm() / expected.norm()).item<double>();
}

/// Output, gradient of the input, gradients of the parameters.
template <class Forward>
std::vector<torch::Tensor> results(const std::vector<torch::nn::Module*>& modules,
                                   const Forward& forward) {
    torch::manual_seed(5);
    torch::Tensor x = torch::randn({2, 3, 1, 5, 12}).set_requires_grad(true);
    for (torch::nn::Module* module : modules) module->zero_grad();
    const torch::Tensor output = forward(x);
    output.pow(3).sum().backward();
    std::vector<torch::Tensor> all{output.detach(), x.grad()};
    for (torch::nn::Module* module : modules)
        for (const torch::Tensor& parameter : module->parameters())
            all.push_back(parameter.grad().clone());
    return all;
}

void expect_alike(const std::vector<torch::Tensor>& values,
                  const std::vector<torch::Tensor>& expected) {
    ASSERT_EQ(values.size(), expected.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_LT(relative_error(values[i], expected[i]), 1e-5) << i;
}

class FusedLayers : public testing::TestWithParam<LinearImpl::Bias> {};

TEST_P(FusedLayers, NormLinearAgreesWithItsParts) {
    LayerNorm norm(12);
    Linear linear(12, 7, GetParam());
    fill(*norm);
    fill(*linear);
    const auto with = [&](Kernels kernels) {
        return results({norm.get(), linear.get()}, [&](const torch::Tensor& x) {
            return norm_linear(norm, linear, x, kernels);
        });
    };
    expect_alike(with(Kernels::fused), with(Kernels::plain));
}

TEST_P(FusedLayers, GeluLinearAgreesWithItsParts) {
    Linear linear(12, 7, GetParam());
    fill(*linear);
    const auto with = [&](Kernels kernels) {
        return results({linear.get()}, [&](const torch::Tensor& x) {
            return gelu_linear(linear, torch::Tensor(x), kernels);
        });
    };
    expect_alike(with(Kernels::fused), with(Kernels::plain));
}

TEST_P(FusedLayers, ResultsMayBeChangedInPlaceByTheCaller) {
    LayerNorm norm(12);
    Linear linear(12, 12, GetParam());
    fill(*norm);
    fill(*linear);
    const auto with = [&](Kernels kernels) {
        return results({norm.get(), linear.get()}, [&](const torch::Tensor& x) {
            torch::Tensor y = norm_linear(norm, linear, x, kernels).add_(x);
            torch::Tensor z = gelu_linear(linear, std::move(y), kernels).add_(x);
            return dense_linear(linear, z, kernels).mul_(2);
        });
    };
    expect_alike(with(Kernels::fused), with(Kernels::plain));
}

TEST_P(FusedLayers, ResultsAreNeverViewsWhichAutogradWouldCopyWhenChanged) {
    LayerNorm norm(12);
    Linear linear(12, 12, GetParam());
    fill(*norm);
    fill(*linear);
    for (const std::vector<std::int64_t>& sizes :
         std::vector<std::vector<std::int64_t>>{{4, 12}, {2, 4, 12}, {2, 3, 1, 5, 12}}) {
        const torch::Tensor x = torch::randn(sizes).set_requires_grad(true);
        EXPECT_FALSE(norm_linear(norm, linear, x, Kernels::fused).is_view()) << x.dim();
        EXPECT_FALSE(gelu_linear(linear, torch::Tensor(x), Kernels::fused).is_view()) << x.dim();
        EXPECT_FALSE(dense_linear(linear, x, Kernels::fused).is_view()) << x.dim();
    }
}

TEST_P(FusedLayers, TrainWithFrozenParametersAndInputsWithoutGradients) {
    LayerNorm norm(12);
    Linear linear(12, 12, GetParam());
    fill(*norm);
    fill(*linear);
    const auto gradient = [&](Kernels kernels) {
        torch::manual_seed(3);
        const torch::Tensor x = torch::randn({2, 5, 12});
        for (torch::Tensor& parameter : linear->parameters()) parameter.mutable_grad().reset();
        norm->weight.set_requires_grad(false);
        norm->bias.set_requires_grad(false);
        gelu_linear(linear, norm_linear(norm, linear, x, kernels), kernels).pow(2).sum().backward();
        return linear->weight.grad().clone();
    };
    expect_alike({gradient(Kernels::fused)}, {gradient(Kernels::plain)});
    EXPECT_FALSE(norm->weight.grad().defined());
}

TEST_P(FusedLayers, GiveTheSameWithoutGradients) {
    LayerNorm norm(12);
    Linear linear(12, 12, GetParam());
    fill(*norm);
    fill(*linear);
    const torch::Tensor x = torch::randn({4, 12});
    const torch::Tensor expected =
        gelu_linear(linear, norm_linear(norm, linear, x, Kernels::plain), Kernels::plain);
    const torch::NoGradGuard no_grad;
    const torch::Tensor value =
        gelu_linear(linear, norm_linear(norm, linear, x, Kernels::fused), Kernels::fused);
    EXPECT_LT(relative_error(value, expected), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Biases, FusedLayers,
                         testing::Values(LinearImpl::Bias::yes, LinearImpl::Bias::no));

}  // namespace
}  // namespace edgeloop::fused_layers_test
