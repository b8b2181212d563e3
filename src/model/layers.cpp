#include "model/layers.hpp"

#include "edgeloop/architecture/counts.hpp"

#include <algorithm>

namespace edgeloop {
namespace {

torch::Tensor per_channel(const torch::Tensor& x, const torch::Tensor& scale,
                          const torch::Tensor& shift) {
    const std::vector<std::int64_t> shape{1, scale.size(0), 1, 1, 1};
    return (x * scale.reshape(shape)).add_(shift.reshape(shape));
}

}  // namespace

torch::Tensor in_type(torch::ScalarType type, const torch::Tensor& x) {
    return x.scalar_type() == type ? x : x.to(type);
}

LinearImpl::LinearImpl(std::int64_t inputs, std::int64_t outputs, Bias with_bias,
                       const RoundingOptions& options)
    : RoundedLayer(options, outputs) {
    weight = register_parameter("weight", torch::empty({outputs, inputs}));
    if (with_bias == Bias::yes) bias = register_parameter("bias", torch::empty({outputs}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) const {
    return torch::linear(rounded_input(x), rounded_weight(), rounded_bias());
}

LayerNormImpl::LayerNormImpl(std::int64_t channels) {
    weight = register_parameter("weight", torch::empty({channels}));
    bias = register_parameter("bias", torch::empty({channels}));
}

torch::Tensor LayerNormImpl::forward(const torch::Tensor& x) const {
    return torch::layer_norm(in_type(weight.scalar_type(), x), {weight.size(0)}, weight, bias,
                             norm_epsilon);
}

GroupNormImpl::GroupNormImpl(std::int64_t channels)
    : groups_(norm_groups(static_cast<int>(channels))) {
    weight = register_parameter("weight", torch::empty({channels}));
    bias = register_parameter("bias", torch::empty({channels}));
}

torch::Tensor GroupNormImpl::forward(const torch::Tensor& x) const {
    return torch::group_norm(in_type(weight.scalar_type(), x), groups_, weight, bias, norm_epsilon);
}

AffineImpl::AffineImpl(std::int64_t channels) {
    weight = register_parameter("weight", torch::empty({channels}));
    bias = register_parameter("bias", torch::empty({channels}));
}

torch::Tensor AffineImpl::forward(const torch::Tensor& x) const {
    return per_channel(in_type(weight.scalar_type(), x), scale(), shift());
}

torch::Tensor AffineImpl::of_products(const torch::Tensor& x, const RoundedLayer& layer) const {
    const torch::Tensor by = scale();
    const torch::Tensor added = layer.bias.defined() ? layer.bias * by + shift() : shift();
    return per_channel(in_type(weight.scalar_type(), x), by, layer.whole_accumulators(added, by));
}

FrozenNormImpl::FrozenNormImpl(std::int64_t channels)
    : AffineImpl(channels), groups_(norm_groups(static_cast<int>(channels))) {
    factor_ = register_parameter(frozen_names[0], torch::ones({channels}));
    mean_ = register_parameter(frozen_names[1], torch::zeros({channels}));
    forget();
}

torch::Tensor FrozenNormImpl::forward(const torch::Tensor& x) const {
    if (rounding == Rounding::on) return AffineImpl::forward(x);
    if (rounding == Rounding::observed) observe(x);
    return torch::group_norm(in_type(weight.scalar_type(), x), groups_, weight, bias, norm_epsilon);
}

void FrozenNormImpl::observe(const torch::Tensor& x) const {
    const torch::NoGradGuard no_grad;
    const torch::Tensor groups = x.to(torch::kDouble).reshape({x.size(0), groups_, -1});
    const torch::Tensor factors = (groups.var(2, false) + norm_epsilon).rsqrt();
    const torch::Tensor sums =
        torch::stack({factors.sum(0), (groups.mean(2) * factors).sum(0)}, 1).contiguous().cpu();
    observed_[0] += static_cast<double>(x.size(0));
    for (std::int64_t i = 0; i < 2 * groups_; ++i)
        observed_[static_cast<std::size_t>(i) + 1] += sums.data_ptr<double>()[i];
}

void FrozenNormImpl::forget() { observed_.assign(1 + 2 * static_cast<std::size_t>(groups_), 0); }

void FrozenNormImpl::freeze(const double* sums) {
    const torch::NoGradGuard no_grad;
    const std::int64_t width = weight.size(0) / groups_;
    for (std::int64_t group = 0; group < groups_; ++group) {
        const double clips = std::max(1.0, sums[0]);
        factor_.narrow(0, group * width, width).fill_(sums[1 + 2 * group] / clips);
        mean_.narrow(0, group * width, width).fill_(sums[2 + 2 * group] / clips);
    }
}

Conv3dImpl::Conv3dImpl(const Conv3dOptions& options)
    : RoundedLayer(options.rounding, options.outputs), options_(options) {
    const Extent3& k = options.kernel;
    weight = register_parameter(
        "weight",
        torch::empty({options.outputs, options.inputs / options.groups, k[0], k[1], k[2]}));
    if (options.bias == LinearImpl::Bias::yes)
        bias = register_parameter("bias", torch::empty({options.outputs}));
}

torch::Tensor Conv3dImpl::forward(const torch::Tensor& x) const {
    return convolve(rounded_input(x));
}

torch::Tensor Conv3dImpl::convolve(const torch::Tensor& x) const {
    return convolve3d(x, rounded_weight(), rounded_bias(), options_);
}

torch::Tensor Conv3dImpl::products(const torch::Tensor& x) const {
    return convolve3d(x, rounded_weight(), {}, options_);
}

torch::Tensor convolve3d(const torch::Tensor& x, const torch::Tensor& weight,
                         const torch::Tensor& bias, const Conv3dOptions& options) {
    const auto [kt, kh, kw] = options.kernel;
    const std::vector<std::int64_t> stride(options.stride.begin(), options.stride.end());
    std::vector<std::int64_t> padding(3, 0);
    torch::Tensor input = x;
    if (options.border == Border::same) {
        if (kt % 2 == 1 && kh % 2 == 1 && kw % 2 == 1)
            padding = {kt / 2, kh / 2, kw / 2};
        else
            input = torch::constant_pad_nd(
                x, {(kw - 1) / 2, kw / 2, (kh - 1) / 2, kh / 2, (kt - 1) / 2, kt / 2});
    }
    const std::vector<std::int64_t> dilation(3, 1);
    return torch::conv3d(input, weight, bias, stride, padding, dilation, options.groups);
}

}  // namespace edgeloop
