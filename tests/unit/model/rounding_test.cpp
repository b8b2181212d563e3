// Fake quantisation: VecQ and LSQ by their formulas, networks that round, and what they are in
// integers.
#include "model/rounding.hpp"

#include "model/layers.hpp"
#include "model/network.hpp"
#include "model/quantised_layers.hpp"
#include "specs.hpp"

#include "edgeloop/architecture/counts.hpp"

#include <cmath>
#include <functional>

#include <gtest/gtest.h>
#include <torch/nn/functional/conv.h>
#include <torch/torch.h>

namespace edgeloop::rounding_test {
namespace {

constexpr double vecq_errors[] = {.3634, .1188, .03744, .01154, .003495, .00104, .000304, .000088};
constexpr double integer_errors[] = {.1902, .04686, .01289, .003693, .001069, .000309, .000088};

/// Mean square error of rounding a standard normal number, by the midpoint rule.
double error_of(const std::function<double(double)>& rounded) {
    constexpr double range = 8;
    constexpr int pieces = 200000;
    double sum = 0, weight = 0;
    for (int i = 0; i < pieces; ++i) {
        const double x = range * (2 * (i + 0.5) / pieces - 1);
        const double density = std::exp(-x * x / 2);
        sum += density * (rounded(x) - x) * (rounded(x) - x);
        weight += density;
    }
    return sum / weight;
}

double mid_rise(double x, double step, int bits) {
    const double half = 1 << (bits - 1);
    const double k = std::min(std::max(std::round(x / step - 0.5), -half), half - 1);
    return step * (k + 0.5);
}

double mid_tread(double x, double step, int bits) {
    const double high = (1 << (bits - 1)) - 1;
    return step * std::min(std::max(std::round(x / step), -high), high);
}

TEST(Vecq, HasTheErrorsOfItsPaperOnNormalWeights) {
    torch::manual_seed(1);
    const torch::Tensor weights = torch::randn({1, 4000000}) * 0.037;
    for (int bits = 1; bits <= 8; ++bits) {
        const torch::Tensor error = vecq(weights, bits).values - weights;
        const double relative = (error.square().sum() / weights.square().sum()).item<double>();
        const double expected = vecq_errors[bits - 1];
        // The last figure is given to two digits.
        EXPECT_NEAR(relative, expected, 0.01 * expected) << bits;
    }
}

TEST(Vecq, StepsAreThoseOfSmallestError) {
    for (int bits = 2; bits <= 8; ++bits) {
        const auto error = [&](double step) {
            return error_of([&](double x) { return mid_rise(x, step, bits); });
        };
        const double step = vecq_step(bits);
        EXPECT_NEAR(error(step), vecq_errors[bits - 1], 0.01 * vecq_errors[bits - 1]) << bits;
        EXPECT_LT(error(step), error(1.01 * step)) << bits;
        EXPECT_LT(error(step), error(0.99 * step)) << bits;
        const double other = integer_step(bits);
        const auto integer_error = [&](double width) {
            return error_of([&](double x) { return mid_tread(x, width, bits); });
        };
        EXPECT_NEAR(integer_error(other), integer_errors[bits - 2],
                    0.01 * integer_errors[bits - 2]);
        EXPECT_LT(integer_error(other), integer_error(1.01 * other)) << bits;
        EXPECT_LT(integer_error(other), integer_error(0.99 * other)) << bits;
    }
}

TEST(Vecq, IsDirectionTimesLeastSquaresLengthOfEachChannel) {
    torch::manual_seed(2);
    const torch::Tensor weights =
        torch::randn({3, 5, 2, 2, 2}) * torch::tensor({.1, 1., 10.}).reshape({3, 1, 1, 1, 1});
    for (int bits = 1; bits <= 8; ++bits) {
        const VecqWeights rounded = vecq(weights, bits);
        for (int c = 0; c < 3; ++c) {
            const torch::Tensor w = weights[c].flatten().to(torch::kDouble);
            const double deviation = w.square().mean().sqrt().item<double>();
            double dot = 0, length = 0;
            std::vector<double> direction;
            for (int i = 0; i < w.numel(); ++i) {
                direction.push_back(
                    mid_rise(w[i].item<double>() / deviation, vecq_step(bits), bits) /
                    vecq_step(bits));
                dot += w[i].item<double>() * direction.back();
                length += direction.back() * direction.back();
            }
            EXPECT_NEAR(rounded.alpha[c].item<double>(), dot / length, 1e-5 * dot / length);
            for (int i = 0; i < w.numel(); ++i)
                EXPECT_NEAR(rounded.values[c].flatten()[i].item<double>(),
                            dot / length * direction[std::size_t(i)], 1e-5 * deviation);
        }
    }
    EXPECT_EQ(vecq(torch::zeros({2, 4}), 3).values.abs().max().item<double>(), 0);
}

/// Value and gradients by the formulas of the paper.
struct ByHand {
    torch::Tensor y, dx, ds;
};
ByHand lsq_by_hand(const torch::Tensor& x, const torch::Tensor& step, int low, int high,
                   double factor) {
    const torch::Tensor v = x / step, rounded = v.round();
    const torch::Tensor inside = ((rounded >= low) & (rounded <= high)).to(x.scalar_type());
    const torch::Tensor q = rounded.clamp(low, high);
    return {q * step, inside, (torch::where(inside > 0, rounded - v, q)) * factor};
}

// Not LibTorch's operators.
TEST(Lsq, IsTheFormulaInFloat64) {
    torch::manual_seed(4);
    for (const auto& [low, high] : {std::pair(0, 3), {-7, 7}})
        for (const int steps : {1, 4}) {
            const torch::Tensor x =
                torch::randn({4, 3, 10}, torch::kDouble).set_requires_grad(true);
            const torch::Tensor step =
                ((torch::rand({steps}, torch::kDouble) + 0.2) * 3 / high).set_requires_grad(true);
            const torch::Tensor weighting = torch::randn_like(x);
            const torch::Tensor y = lsq(x, step, low, high, 30);
            (y * weighting).sum().backward();
            const ByHand expected = lsq_by_hand(x.detach(), step.detach().reshape({-1, 1, 1}), low,
                                                high, 1 / std::sqrt(30.0 * high));
            EXPECT_TRUE(torch::allclose(y, expected.y, 1e-12, 1e-12));
            EXPECT_TRUE(torch::allclose(x.grad(), expected.dx * weighting, 1e-12, 1e-12));
            const torch::Tensor ds = (expected.ds * weighting).sum({1, 2});
            EXPECT_TRUE(
                torch::allclose(step.grad(), steps > 1 ? ds : ds.sum().reshape({1}), 1e-9, 1e-9));
        }
}

TEST(Lsq, IsTheFormulaInValueAndAllGradients) {
    torch::manual_seed(3);
    for (const auto& [low, high] :
         {std::pair(0, 1), {0, 3}, {0, 15}, {0, 255}, {-1, 1}, {-3, 3}, {-7, 7}, {-127, 127}}) {
        for (const bool per_channel : {false, true}) {
            const torch::Tensor x = torch::randn({4, 30}).set_requires_grad(true);
            torch::Tensor step = per_channel ? torch::rand({4}) + 0.2 : torch::rand({1}) + 0.2;
            step = (step * 3 / high).detach().set_requires_grad(true);
            const double numbers = 30;
            const torch::Tensor weighting = torch::randn_like(x);
            const torch::Tensor y = lsq(x, step, low, high, numbers);
            (y * weighting).sum().backward();
            const torch::Tensor wide = per_channel ? step.detach().unsqueeze(1) : step.detach();
            const ByHand expected =
                lsq_by_hand(x.detach(), wide, low, high, 1 / std::sqrt(numbers * high));
            EXPECT_TRUE(torch::allclose(y, expected.y, 1e-5, 1e-6));
            EXPECT_TRUE(torch::allclose(x.grad(), expected.dx * weighting, 1e-5, 1e-6));
            const torch::Tensor ds = expected.ds * weighting;
            EXPECT_TRUE(torch::allclose(
                step.grad(), per_channel ? ds.sum(1) : ds.sum().reshape({1}), 1e-3, 1e-4))
                << low << ' ' << high;
            // The library's own operator, as it is called by its name.
            const torch::Tensor x2 = x.detach().clone().set_requires_grad(true);
            const torch::Tensor step2 = step.detach().clone().set_requires_grad(true);
            const torch::Tensor zero = torch::zeros_like(step2);
            const double factor = 1 / std::sqrt(numbers * high);
            const torch::Tensor y2 = per_channel ? at::_fake_quantize_learnable_per_channel_affine(
                                                       x2, step2, zero, 0, low, high, factor)
                                                 : at::_fake_quantize_learnable_per_tensor_affine(
                                                       x2, step2, zero, low, high, factor);
            (y2 * weighting).sum().backward();
            EXPECT_TRUE(torch::equal(y, y2));
            EXPECT_TRUE(torch::equal(x.grad(), x2.grad()));
            EXPECT_TRUE(torch::equal(step.grad(), step2.grad()));
        }
    }
}

ArchitectureSpec quantised(ArchitectureSpec spec, const std::string& quantisation) {
    const std::string text = spec.to_json().dump();
    Json json = Json::parse(text);
    json["quantisation"] = Json::parse(quantisation);
    return ArchitectureSpec::from_json(json, "test");
}

ArchitectureSpec cnn3d(const std::string& quantiser, const std::string& reduce = "flatten") {
    ArchitectureSpec spec = test::small_cnn3d();
    spec.architecture["norm"] = "affine";
    spec.architecture["reduce"] = reduce;
    return quantised(spec, R"({"quantiser": ")" + quantiser + R"(", "stages": [{},
        {"weights": 3, "activations": 4}], "dense": {"weights": 1, "activations": 2}})");
}

ArchitectureSpec frozen_cnn3d() {
    ArchitectureSpec spec = cnn3d("lsq");
    spec.architecture["norm"] = "frozen";
    return spec;
}

ArchitectureSpec mbconv3d(const std::string& quantiser) {
    ArchitectureSpec spec = test::small_mbconv3d();
    spec.architecture["norm"] = "affine";
    spec.architecture["activation"] = "relu";
    spec.architecture["stages"][1]["squeeze"] = 0;
    return quantised(spec, R"({"quantiser": ")" + quantiser + R"(", "stages": [
        {"weights": 4, "activations": 8}, {"weights": 2, "activations": 4}]})");
}

ArchitectureSpec swin3d(const std::string& quantiser) {
    return quantised(test::small_swin3d(), R"({"quantiser": ")" + quantiser + R"(", "stages": [
        {"weights": 4, "activations": 8}, {"weights": 2, "activations": 4}]})");
}

torch::Tensor clips_for(const ArchitectureSpec& spec, int batch = 2) {
    torch::manual_seed(1);
    // Whole grey values, as cameras give them.
    const torch::Tensor grey =
        torch::randint(0, 256, {batch, 1, spec.clip.frames, spec.clip.side, spec.clip.side});
    return (grey / 255 - spec.clip.mean) / spec.clip.deviation;
}

/// In evaluation mode, with steps that suit what its layers read.
std::shared_ptr<Network> calibrated(const ArchitectureSpec& spec) {
    auto network = make_network(spec, 1);
    network->eval();
    const torch::NoGradGuard no_grad;
    set_rounding(*network, Rounding::observed);
    (void)network->forward(clips_for(spec));
    start_steps(*network, observations(*network));
    set_rounding(*network, Rounding::on);
    return network;
}

class QuantisedNetworks : public testing::TestWithParam<ArchitectureSpec> {};

TEST_P(QuantisedNetworks, HaveAsManyParametersAsCountedAndTheOutputsBiasLast) {
    const auto network = make_network(GetParam(), 1, 3);
    std::int64_t total = 0;
    const auto pair = make_network(GetParam(), 1);
    for (const torch::Tensor& parameter : pair->parameters()) total += parameter.numel();
    EXPECT_EQ(total, count(GetParam()).parameters);
    EXPECT_EQ(network->output_bias().numel(), 3);
    EXPECT_EQ(network->named_parameters().back().key().substr(
                  network->named_parameters().back().key().rfind('.')),
              ".bias");
}

TEST_P(QuantisedNetworks, GiveEveryParameterAFiniteGradient) {
    const auto network = calibrated(GetParam());
    network->forward(clips_for(GetParam())).square().mean().backward();
    int steps = 0;
    for (const auto& parameter : network->named_parameters()) {
        ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
        EXPECT_TRUE(torch::isfinite(parameter.value().grad()).all().item<bool>());
        if (is_step(parameter.key()) && parameter.value().grad().abs().max().item<double>() > 0)
            ++steps;
    }
    EXPECT_GT(steps, 2) << "steps are learnt";
}

TEST_P(QuantisedNetworks, AgreeWithAllKernels) {
    const auto network = calibrated(GetParam());
    const torch::NoGradGuard no_grad;
    network->set_kernels(Kernels::plain);
    const torch::Tensor expected = network->forward(clips_for(GetParam()));
    for (const Kernels kernels : {Kernels::fused, Kernels::library}) {
        network->set_kernels(kernels);
        // Sums in another order may round to the neighbouring step here and there.
        EXPECT_TRUE(torch::allclose(network->forward(clips_for(GetParam())), expected, 1e-2, 1e-3));
    }
}

TEST_P(QuantisedNetworks, AreTheFloatNetworkWhereNothingIsRounded) {
    ArchitectureSpec plain = GetParam();
    plain.quantisation = {};
    if (plain.architecture.value("norm", "") == "frozen") plain.architecture["norm"] = "group";
    const auto network = make_network(GetParam(), 1), other = make_network(plain, 1);
    network->eval();
    other->eval();
    const torch::NoGradGuard no_grad;
    const torch::Tensor clips = clips_for(GetParam()), expected = other->forward(clips);
    EXPECT_FALSE(torch::allclose(network->forward(clips), expected, 1e-5, 1e-7));
    set_rounding(*network, Rounding::off);
    EXPECT_TRUE(torch::allclose(network->forward(clips), expected, 1e-5, 1e-7));
}

TEST_P(QuantisedNetworks, TakeTheirStepsFromWhatTheyRead) {
    const auto network = make_network(GetParam(), 1);
    network->eval();
    const torch::NoGradGuard no_grad;
    set_rounding(*network, Rounding::observed);
    (void)network->forward(clips_for(GetParam(), 3));
    const std::vector<double> first = observations(*network);
    (void)network->forward(clips_for(GetParam(), 3));
    const std::vector<double> both = observations(*network);
    ASSERT_GE(both.size(), 2 * rounded_layers(*network).size());
    for (std::size_t i = 0; i < both.size(); ++i)
        EXPECT_NEAR(both[i], 2 * first[i], 1e-4 * std::abs(both[i]));
    start_steps(*network, both);
    for (const RoundedLayer* layer : rounded_layers(*network)) {
        if (layer->options().reads == Reads::clip) continue;
        EXPECT_GT(layer->input_step(), 0);
        EXPECT_EQ(layer->observed_numbers, 0);
    }
    EXPECT_NEAR(rounded_layers(*network)[1]->input_step(),
                2 * both[2] / both[3] /
                    std::sqrt((1 << rounded_layers(*network)[1]->options().bits.activations) - 1.),
                rounded_layers(*network)[1]->options().reads == Reads::above_zero ? 1e-5 : 1);
}

INSTANTIATE_TEST_SUITE_P(All, QuantisedNetworks,
                         testing::Values(cnn3d("lsq"), cnn3d("vecq"), cnn3d("lsq", "mean"),
                                         frozen_cnn3d(), mbconv3d("lsq"), mbconv3d("vecq"),
                                         swin3d("lsq"), swin3d("vecq")));

// Of one clip the norm that is frozen on it is the group norm.
TEST(FrozenNorm, IsTheGroupNormOfTheClipsItWasFrozenOn) {
    const ArchitectureSpec spec = frozen_cnn3d();
    const auto network = make_network(spec, 1);
    network->eval();
    const torch::NoGradGuard no_grad;
    auto* norm = dynamic_cast<FrozenNormImpl*>(network->named_modules()["stages.0.norm"].get());
    ASSERT_NE(norm, nullptr);
    norm->weight.add_(torch::randn_like(norm->weight));
    norm->bias.add_(torch::randn_like(norm->bias));
    const torch::Tensor x = 3 * torch::randn({1, 8, 2, 5, 5}) + 1, other = 2 * x;
    norm->rounding = Rounding::observed;
    const torch::Tensor expected = norm->forward(x);
    (void)norm->forward(x);
    const std::vector<double> sums = norm->observed();
    EXPECT_EQ(sums.front(), 2);
    norm->freeze(sums.data());
    norm->rounding = Rounding::on;
    EXPECT_TRUE(torch::allclose(norm->forward(x), expected, 1e-4, 1e-5));
    EXPECT_FALSE(torch::allclose(norm->forward(other), expected, 0.1, 0.1));
    norm->rounding = Rounding::off;
    EXPECT_TRUE(torch::allclose(norm->forward(other), expected, 1e-4, 1e-4));
    norm->forget();
    EXPECT_EQ(norm->observed().front(), 0);
}

/// The integers that a layer reads.
torch::Tensor integers_of(const torch::Tensor& x, const QuantisedLayer& layer) {
    return (x / layer.input_step + layer.input_zero)
        .round()
        .clamp(0, (1 << layer.bits.activations) - 1);
}

/// What comes out before ReLU, from integers alone.
torch::Tensor result_of(const torch::Tensor& integers, const QuantisedLayer& layer,
                        int stride = 1) {
    const torch::Tensor x = integers - layer.input_zero, q = layer.weights.to(torch::kDouble);
    torch::Tensor sums;
    std::vector<std::int64_t> shape{1, -1};
    if (q.dim() == 2) {
        sums = torch::matmul(x, q.t());
    } else {
        std::vector<std::int64_t> pads;
        for (int d = 2; d >= 0; --d) {
            const std::int64_t k = q.size(2 + d);
            pads.insert(pads.end(), {(k - 1) / 2, k / 2});
        }
        sums = torch::conv3d(torch::constant_pad_nd(x, pads), q, {}, stride);
        shape.resize(5, 1);
    }
    return sums * (layer.scales * layer.input_step).reshape(shape) + layer.bias.reshape(shape);
}

TEST(QuantisedLayers, AreTheNetworkInIntegers) {
    for (const std::string quantiser : {"lsq", "vecq"}) {
        const ArchitectureSpec spec = cnn3d(quantiser, "mean");
        const auto network = make_network(spec, 3);
        network->eval();
        const torch::NoGradGuard no_grad;
        // Norms that scale, shift, and turn signs.
        for (auto& parameter : network->named_parameters())
            if (parameter.key().find(".norm.") != std::string::npos)
                parameter.value().add_(torch::randn_like(parameter.value()));
        const torch::Tensor clips = clips_for(spec);
        const std::vector<QuantisedLayer> layers = quantised_layers(*network);
        ASSERT_EQ(layers.size(), 6u);  // two convolutions, features, two dense layers, output
        EXPECT_EQ(layers[0].name, "stages.0.conv");
        EXPECT_EQ(layers[0].input_zero, 115);
        EXPECT_EQ(layers[2].name, "features");
        for (const QuantisedLayer& layer : layers) {
            if (!layer.weights.defined()) continue;
            const int most = layer.has_odd_weights ? (1 << layer.bits.weights) - 1
                                                   : (1 << (layer.bits.weights - 1)) - 1;
            EXPECT_LE(layer.weights.abs().max().item<int>(), most);
            EXPECT_GT(layer.scales.min().item<double>(), 0);
            EXPECT_TRUE(!layer.has_odd_weights || (layer.weights % 2 != 0).all().item<bool>());
        }
        torch::Tensor x = clips.to(torch::kDouble);
        for (int stage = 0; stage < 2; ++stage) {
            const QuantisedLayer& layer = layers[std::size_t(stage)];
            // Zero stands for the clip's mean as near as a whole grey value comes to it.
            const torch::Tensor q = stage == 0
                                        ? ((x * spec.clip.deviation + spec.clip.mean) * 255).round()
                                        : integers_of(x, layer);
            x = torch::relu(result_of(q, layer));
            const auto pool = stage == 0 ? std::vector<std::int64_t>{2, 2, 2}
                                         : std::vector<std::int64_t>{4, 3, 3};
            x = torch::max_pool3d(x, pool, pool);
        }
        x = integers_of(x, layers[2]).mean({2, 3, 4}) * layers[2].input_step;
        for (std::size_t i = 3; i < 6; ++i) {
            x = result_of(integers_of(x, layers[i]), layers[i]);
            if (i < 5) x = torch::relu(x);
        }
        const torch::Tensor expected = network->forward(clips).to(torch::kDouble);
        EXPECT_LT(((x - expected).norm() / expected.norm()).item<double>(), 1e-4) << quantiser;
    }
}

}  // namespace
}  // namespace edgeloop::rounding_test
