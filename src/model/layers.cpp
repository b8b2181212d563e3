#include "model/layers.hpp"

#include "edgeloop/architecture/counts.hpp"

namespace edgeloop {

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
    return torch::linear(rounded_input(x), rounded_weight(), bias);
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
    const std::vector<std::int64_t> shape{1, weight.size(0), 1, 1, 1};
    return (in_type(weight.scalar_type(), x) * weight.reshape(shape)).add_(bias.reshape(shape));
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
    return convolve_with(x, rounded_weight());
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
