// The canonical form of a layer: the same function, with indices that can be told apart and left
// out; what an optimiser remembers is that of the new cores.
#include "training/canonical_form.hpp"

#include "model/low_rank_convolution.hpp"
#include "model/low_rank_linear.hpp"
#include "training/rank_adaptation.hpp"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop::canonical_form_test {
namespace {

double difference(const torch::Tensor& value, const torch::Tensor& expected) {
    return ((value - expected).norm() / expected.norm().clamp_min(1e-12)).item<double>();
}

struct Sample {
    std::string format;
    TensorLayer shape;
    torch::Tensor clips;
};

std::vector<Sample> samples() {
    std::vector<Sample> all;
    for (const char* format : {"tt", "ttm"})
        for (const auto& [inputs, outputs] :
             std::vector<std::pair<int, int>>{{7, 1}, {6, 10}, {37, 12}, {64, 96}, {72, 67}})
            all.push_back(
                {format, {"linear", 0, true, inputs, outputs}, torch::randn({3, inputs})});
    for (const char* format : {"tt", "tucker2", "cp"})
        for (const auto& [inputs, outputs] : std::vector<std::pair<int, int>>{{1, 5}, {6, 7}})
            for (const Extent3& kernel : {Extent3{3, 3, 3}, Extent3{2, 3, 4}, Extent3{3, 1, 1}})
                all.push_back({format,
                               {"conv", 0, false, inputs, outputs, kernel, {2, 1, 3}},
                               torch::randn({2, inputs, 5, 6, 7})});
    return all;
}

std::shared_ptr<FactoredModule> made(const Sample& sample, const Ranks& ranks) {
    const FactoredLayer factored{sample.shape, sample.format, ranks};
    if (!sample.shape.is_linear)
        return std::make_shared<ChainConv3dImpl>(factored, LinearImpl::Bias::no);
    auto layer = std::make_shared<TensorLinearImpl>(factored);
    layer->bias.detach().zero_();
    return layer;
}

/// Gives the layer's weights this deviation.
void fill(FactoredModule& layer, double deviation) {
    const torch::NoGradGuard no_grad;
    const std::vector<double> deviations = layer.initial_deviations(deviation);
    for (std::size_t k = 0; k < deviations.size(); ++k)
        torch::Tensor(layer.cores()[k]).normal_(0, deviations[k]);
}

std::shared_ptr<FactoredModule> filled(const Sample& sample, int rank) {
    auto layer = made(sample, max_ranks(sample.format, sample.shape, rank));
    fill(*layer, 1);
    return layer;
}

torch::Tensor forward(const std::shared_ptr<FactoredModule>& layer, const torch::Tensor& x) {
    if (auto* const linear = dynamic_cast<TensorLinearImpl*>(layer.get()))
        return linear->forward(x);
    return dynamic_cast<ChainConv3dImpl&>(*layer).forward(x);
}

std::shared_ptr<FactoredModule> settled(const Sample& sample, const FactoredModule& layer,
                                        const CanonicalForm& form) {
    auto now = made(sample, ranks_in(form));
    for (std::size_t k = 0; k < now->cores().size(); ++k)
        now->cores()[k].detach().copy_(
            in_form(layer.cores()[k], CoreTensor::weights, layer, k, form));
    return now;
}

void add_scales(FactoredModule& layer) {
    layer.scale_bonds();
    const torch::NoGradGuard no_grad;
    for (torch::Tensor scale : layer.scales()) {
        scale.uniform_(0.5, 2);
        if (scale.size(0) > 2) scale[1] = 0.5 * FactoredModule::least_scale;  // counts as nothing
    }
}

std::string name_of(const Sample& sample) {
    return sample.format + ' ' + std::to_string(sample.shape.inputs) + " to " +
           std::to_string(sample.shape.outputs) + ", kernel " +
           std::to_string(sample.shape.kernel[0]);
}

TEST(CanonicalForm, IsTheSameFunctionWhenNothingIsCut) {
    torch::manual_seed(1);
    for (const Sample& sample : samples())
        for (const bool has_scales : {false, true}) {
            SCOPED_TRACE(name_of(sample) + (has_scales ? " with scales" : ""));
            const auto layer = filled(sample, 4);
            if (has_scales) add_scales(*layer);
            const auto now = settled(sample, *layer, canonical_form(*layer));
            EXPECT_EQ(now->layer().ranks, layer->layer().ranks);
            EXPECT_LT(difference(now->merged_weight(), layer->merged_weight()), 1e-5);
            EXPECT_LT(difference(forward(now, sample.clips).detach(),
                                 forward(layer, sample.clips).detach()),
                      1e-5);
        }
}

/// Singular values of the weights of a middle bond, as a matrix of what is on either side.
torch::Tensor values_at_bond(const Sample& sample, const torch::Tensor& weight) {
    const TensorLayer& shape = sample.shape;
    torch::Tensor matrix = weight.to(torch::kDouble);
    if (sample.format == "ttm") {
        const auto out = factors_of(shape.outputs, 2), in = factors_of(shape.inputs, 2);
        matrix = matrix
                     .reshape({out[0], out[1], in[1], in[0]})  // inputs: the largest first
                     .permute({0, 2, 1, 3})
                     .reshape({out[0] * in[1], -1});
    } else if (sample.format == "tucker2") {
        matrix = matrix.transpose(0, 1).reshape({shape.inputs, -1});
    }
    return torch::linalg_svdvals(matrix);
}

TEST(CanonicalForm, CutsABondAsWellAsAnythingCan) {
    torch::manual_seed(2);
    const std::vector<std::pair<Sample, std::size_t>> bonds{
        {{"tt", {"linear", 0, true, 30, 42}, {}}, 1},
        {{"ttm", {"linear", 0, true, 6, 15}, {}}, 0},
        {{"tucker2", {"conv", 0, false, 8, 9, {3, 2, 3}}, {}}, 0}};
    for (const auto& [sample, bond] : bonds)
        for (const bool has_scales : {false, true}) {
            SCOPED_TRACE(name_of(sample));
            const auto layer = filled(sample, 5);
            if (has_scales) add_scales(*layer);
            const torch::Tensor weight = layer->merged_weight();
            const torch::Tensor values = values_at_bond(sample, weight);
            CanonicalForm form = canonical_form(*layer);
            const std::int64_t rank = form[bond].worth.size(0);
            EXPECT_LT(difference(form[bond].worth, values.slice(0, 0, rank)), 1e-5);
            form[bond] = form[bond].with(torch::arange(rank - 2));
            const double left_out = values.slice(0, rank - 2).norm().item<double>();
            const torch::Tensor cut = settled(sample, *layer, form)->merged_weight();
            EXPECT_NEAR((cut - weight).norm().item<double>(), left_out, 1e-4 * left_out);
        }
}

/// The same layer with larger ranks: each bond's indices mixed at random over more of them, and
/// others that are there on one side alone.
std::shared_ptr<FactoredModule> hidden(const Sample& sample, const FactoredModule& layer,
                                       int more) {
    Ranks larger = layer.layer().ranks;
    for (int& rank : larger) rank += more;
    auto now = made(sample, larger);
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> cores;
    for (const torch::Tensor& core : layer.cores()) cores.push_back(core.detach());
    for (std::size_t b = 0; b < larger.size(); ++b) {
        const auto rank = std::int64_t{layer.layer().ranks[b]};
        const torch::Tensor mix = torch::randn({larger[b], rank});
        const torch::Tensor back = torch::linalg_pinv(mix);
        const Bond& bond = layer.bonds()[b];
        const auto multiply = [&](const CoreAxis& axis, const torch::Tensor& matrix) {
            cores[axis.core] = torch::tensordot(matrix, cores[axis.core], {1}, {axis.dimension})
                                   .movedim(0, axis.dimension);
        };
        multiply(bond.front(), mix);
        const torch::Tensor unseen = torch::eye(larger[b]) - mix.mm(back);
        multiply(bond.back(), back.t() + unseen.mm(torch::randn({larger[b], rank})));
    }
    for (std::size_t k = 0; k < cores.size(); ++k) now->cores()[k].detach().copy_(cores[k]);
    return now;
}

TEST(CanonicalForm, FindsRanksThatAreHiddenInLargerOnes) {
    torch::manual_seed(3);
    for (const auto& [sample, ranks] : std::vector<std::pair<Sample, Ranks>>{
             {{"tt", {"linear", 0, true, 36, 49}, {}}, {3, 2, 4}},
             {{"ttm", {"linear", 0, true, 72, 64}, {}}, {2, 3}},
             {{"tt", {"conv", 0, false, 8, 9, {3, 3, 3}}, {}}, {2, 3, 2, 3}},
             {{"tucker2", {"conv", 0, false, 8, 9, {3, 3, 3}}, {}}, {3, 2}},
             {{"cp", {"conv", 0, false, 1, 9, {3, 3, 3}}, {}}, {2}}})
        for (const char* adaptation : {"log-uniform", "diagonal"}) {
            SCOPED_TRACE(name_of(sample));
            const auto small = made(sample, ranks);
            fill(*small, 1);
            const auto layer = hidden(sample, *small, 3);
            ASSERT_LT(difference(layer->merged_weight(), small->merged_weight()), 1e-4);
            LowRank low_rank;
            low_rank.adaptation = adaptation;
            low_rank.stages = {{sample.format, 8, 0, {}}};
            const RankAdaptation search(low_rank, {layer.get()});
            const CanonicalForm form = search.choose().front();
            EXPECT_EQ(ranks_in(form), ranks) << adaptation;
            EXPECT_LT(
                difference(settled(sample, *layer, form)->merged_weight(), small->merged_weight()),
                1e-4);
        }
}

TEST(CanonicalForm, CpKeepsTheIndicesWhoseSlicesAreLong) {
    torch::manual_seed(4);
    const Sample sample{"cp", {"conv", 0, false, 8, 9, {3, 3, 3}}, {}};
    const auto layer = filled(sample, 6);
    const std::size_t last = layer->cores().size() - 1;
    {
        const torch::NoGradGuard no_grad;
        layer->cores()[0].detach()[1].zero_();
        layer->cores()[last].detach().select(1, 4).mul_(1e-3);
    }
    LowRank low_rank;
    low_rank.adaptation = "log-uniform";
    low_rank.stages = {{"cp", 6, 0, {}}};
    const CanonicalForm form = RankAdaptation(low_rank, {layer.get()}).choose().front();
    EXPECT_EQ(ranks_in(form), Ranks{4});
    EXPECT_LT(difference(settled(sample, *layer, form)->merged_weight(), layer->merged_weight()),
              1e-2);
}

/// Of a loss that is linear in the results: it does not depend on where the weights are.
std::vector<torch::Tensor> gradients(const std::shared_ptr<FactoredModule>& layer,
                                     const torch::Tensor& x, const torch::Tensor& d_y) {
    layer->zero_grad();
    forward(layer, x).backward(d_y);
    std::vector<torch::Tensor> all;
    for (const torch::Tensor& core : layer->cores()) all.push_back(core.grad().clone());
    return all;
}

TEST(CanonicalForm, MomentumIsThatOfTheNewCores) {
    torch::manual_seed(5);
    for (const Sample& sample : samples())
        for (const bool has_scales : {false, true}) {
            SCOPED_TRACE(name_of(sample));
            const auto layer = filled(sample, 3);
            if (has_scales) add_scales(*layer);
            CanonicalForm form = canonical_form(*layer);
            for (CanonicalBond& bond : form)
                bond = bond.with((bond.worth > 1e-9 * bond.worth.max()).nonzero().flatten());
            const auto now = settled(sample, *layer, form);
            const torch::Tensor d_y = torch::randn_like(forward(layer, sample.clips));
            const auto before = gradients(layer, sample.clips, d_y);
            const auto wanted = gradients(now, sample.clips, d_y);
            for (std::size_t k = 0; k < wanted.size(); ++k)
                EXPECT_LT(difference(in_form(before[k], CoreTensor::gradients, *layer, k, form),
                                     wanted[k]),
                          1e-3)
                    << "core " << k;
        }
}

TEST(CanonicalForm, SquaresOfGradientsAreThoseOfIndependentOnes) {
    torch::manual_seed(6);
    const Sample sample{"tt", {"linear", 0, true, 6, 6}, {}};
    const auto layer = filled(sample, 3);
    const CanonicalForm form = canonical_form(*layer);
    const torch::Tensor deviations = torch::rand_like(layer->cores()[1]) + 0.5;
    torch::Tensor mean =
        torch::zeros_like(in_form(deviations, CoreTensor::gradients, *layer, 1, form));
    constexpr int draws = 4000;
    for (int i = 0; i < draws; ++i)
        mean += in_form(deviations * torch::randn_like(deviations), CoreTensor::gradients, *layer,
                        1, form)
                    .square() /
                draws;
    EXPECT_LT(
        difference(in_form(deviations.square(), CoreTensor::squared_gradients, *layer, 1, form),
                   mean),
        0.1);
}

TEST(CanonicalForm, OfNothingIsOneIndexOfEachBond) {
    const Sample sample{"tt", {"linear", 0, true, 6, 10}, {}};
    const auto layer = filled(sample, 3);
    layer->cores()[1].detach().zero_();
    LowRank low_rank;
    low_rank.stages = {{"tt", 3, 0, {}}};
    const CanonicalForm form = RankAdaptation(low_rank, {layer.get()}).choose().front();
    EXPECT_EQ(ranks_in(form), Ranks({1, 1, 1}));
    EXPECT_EQ(settled(sample, *layer, form)->merged_weight().abs().max().item<float>(), 0);
}

/// Trains a layer with ranks that are too large on the results of one with few.
Ranks ranks_found(const std::string& adaptation, const Sample& sample, const Ranks& truth) {
    torch::manual_seed(7);
    const auto teacher = made(sample, truth);
    fill(*teacher, 1);
    torch::Tensor x = torch::randn({2000, 36}), y;
    {
        const torch::NoGradGuard no_grad;
        y = forward(teacher, x);
        y = y / y.std() + 0.3 * torch::randn_like(y);
    }
    const auto layer = made(sample, max_ranks(sample.format, sample.shape, 8));
    fill(*layer, 1 / std::sqrt(36.0));
    LowRank low_rank;
    low_rank.adaptation = adaptation;
    low_rank.stages = {{sample.format, 8, 0, {}}};
    RankAdaptation search(low_rank, {layer.get()});
    std::vector<torch::Tensor> scales;
    for (const torch::Tensor& scale : layer->scales()) scales.push_back(scale);
    constexpr double rate = 5e-3;
    torch::optim::Adam optimiser(layer->cores(), torch::optim::AdamOptions(rate));
    if (!scales.empty())
        optimiser.add_param_group(
            {scales, std::make_unique<torch::optim::AdamOptions>(scale_rate * rate)});
    constexpr int steps = 800, batch = 50;
    for (int step = 0; step < steps; ++step) {
        const int at = step * batch % 2000;
        optimiser.zero_grad();
        const torch::Tensor loss =
            (forward(layer, x.slice(0, at, at + batch)) - y.slice(0, at, at + batch))
                .square()
                .mean();
        loss.backward();
        search.before_step((step + 0.5) / steps, loss.item<double>());
        optimiser.step();
        search.after_step(rate);
    }
    return ranks_in(search.choose().front());
}

TEST(CanonicalForm, RanksOfATeacherAreFound) {
    const Sample sample{"tt", {"linear", 0, true, 36, 49}, {}};
    const Ranks truth{3, 2, 4};
    for (const char* adaptation : {"diagonal", "log-uniform", "half-cauchy"}) {
        const Ranks found = ranks_found(adaptation, sample, truth);
        for (std::size_t b = 0; b < truth.size(); ++b)
            EXPECT_LE(std::abs(found[b] - truth[b]), 1)
                << adaptation << ", bond " << b << ": " << found[b];
    }
}

}  // namespace
}  // namespace edgeloop::canonical_form_test
