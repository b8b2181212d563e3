// What a GPU takes, run on the CPU: every choice of kernels against the plain one, in single and in
// mixed precision.
#include "edgeloop/model/kernels.hpp"

#include "model/mixed_precision.hpp"
#include "model/network.hpp"
#include "unit/model/specs.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace edgeloop::kernels_test {
namespace {

enum class Precision { single, mixed };

struct Results {
    torch::Tensor output;
    std::map<std::string, torch::Tensor> gradients;
};

Results run(const ArchitectureSpec& spec, Kernels kernels, Precision precision) {
    const auto network = make_network(spec, 5);
    network->eval();
    network->set_kernels(kernels);
    torch::manual_seed(3);
    const torch::Tensor clips =
        torch::randn({3, 1, spec.clip.frames, spec.clip.side, spec.clip.side});
    Results results;
    torch::Tensor loss;
    {
        const MixedPrecision mixed(torch::kCPU, precision == Precision::mixed);
        results.output = network->forward(clips).to(torch::kFloat);
    }
    (results.output - torch::rand({3, 2})).square().sum().backward();
    results.output = results.output.detach();
    for (const auto& parameter : network->named_parameters()) {
        const torch::Tensor& gradient = parameter.value().grad();
        EXPECT_TRUE(gradient.defined()) << parameter.key();
        if (!gradient.defined()) continue;
        EXPECT_EQ(gradient.scalar_type(), torch::kFloat) << parameter.key();
        results.gradients[parameter.key()] = gradient;
    }
    EXPECT_FALSE(results.gradients.empty());
    return results;
}

/// Norm of the difference over that of the expectation.
double difference(const torch::Tensor& value, const torch::Tensor& expected) {
    return ((value - expected).norm() / expected.norm().clamp_min(1e-6)).item<double>();
}

torch::Tensor flat(const std::map<std::string, torch::Tensor>& gradients) {
    std::vector<torch::Tensor> parts;
    for (const auto& [name, gradient] : gradients) parts.push_back(gradient.flatten());
    return torch::cat(parts);
}

struct Case {
    std::string family;
    ArchitectureSpec spec;
    Kernels kernels;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.family << "_" << to_string(c.kernels); }

class KernelsOfFamilies : public testing::TestWithParam<Case> {};

TEST_P(KernelsOfFamilies, AgreeWithThePlainOnesForwardAndBackward) {
    const Results expected = run(GetParam().spec, Kernels::plain, Precision::single);
    const Results found = run(GetParam().spec, GetParam().kernels, Precision::single);
    EXPECT_LT(difference(found.output, expected.output), 1e-5);
    for (const auto& [name, gradient] : expected.gradients)
        EXPECT_LT(difference(found.gradients.at(name), gradient), 1e-4) << name;
}

// bfloat16 has eight bits: each product is wrong by up to 0.4 %, a network of many by some per
// cent.
TEST_P(KernelsOfFamilies, InMixedPrecisionStayCloseToSinglePrecision) {
    const Results expected = run(GetParam().spec, Kernels::plain, Precision::single);
    const Results found = run(GetParam().spec, GetParam().kernels, Precision::mixed);
    EXPECT_LT(difference(found.output, expected.output), 0.05);
    EXPECT_LT(difference(flat(found.gradients), flat(expected.gradients)), 0.05);
    EXPECT_GT(difference(found.output, expected.output), 1e-7) << "nothing was mixed";
}

std::vector<Case> cases() {
    std::vector<Case> all;
    for (const Kernels kernels : all_kernels)
        for (ArchitectureSpec spec : test::small_designs()) {
            if (spec.family == "swin3d") spec = test::small_swin3d(5, 21);  // clips that are padded
            all.push_back({spec.family, spec, kernels});
        }
    return all;
}

INSTANTIATE_TEST_SUITE_P(Families, KernelsOfFamilies, testing::ValuesIn(cases()),
                         testing::PrintToStringParamName());

TEST(MixedPrecision, EndsWithWhatHeldBefore) {
    const torch::Tensor x = torch::randn({2, 3});
    EXPECT_EQ(compute_type(x), torch::kFloat);
    {
        const MixedPrecision outer(torch::kCPU, true);
        EXPECT_EQ(compute_type(x), torch::kBFloat16);
        EXPECT_EQ(compute_type(x.to(torch::kDouble)), torch::kDouble);
        {
            const MixedPrecision inner(torch::kCPU, true);
            const MixedPrecision none(torch::kCPU, false);
        }
        EXPECT_EQ(torch::mm(x, x.t()).scalar_type(), torch::kBFloat16);
    }
    EXPECT_EQ(compute_type(x), torch::kFloat);
    EXPECT_EQ(torch::mm(x, x.t()).scalar_type(), torch::kFloat);
}

}  // namespace
}  // namespace edgeloop::kernels_test
