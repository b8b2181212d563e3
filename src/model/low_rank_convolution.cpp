#include "model/low_rank_convolution.hpp"

#include "model/depthwise_conv3d.hpp"

#include "edgeloop/inference/factors.hpp"

#include <ATen/TracerMode.h>

namespace edgeloop {

ChainConv3dImpl::ChainConv3dImpl(const FactoredLayer& layer, LinearImpl::Bias with_bias)
    : FactoredModule(layer), shapes_(layer.chain()) {
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
        const ChainLink& link = shapes_[i];
        Conv3dOptions options{link.inputs, link.outputs, link.kernel, link.stride};
        if (link.is_depthwise) options.groups = link.inputs;
        options.bias = i + 1 == shapes_.size() ? with_bias : LinearImpl::Bias::no;
        links_.push_back(register_module(std::to_string(i), Conv3d(options)));
        add_core(links_.back()->weight);
    }
}

torch::Tensor ChainConv3dImpl::linked(std::size_t number, const torch::Tensor& x) const {
    const ChainLink& link = shapes_[number];
    const torch::Tensor weight = scaled_core(number);
    const bool has_own = link.is_depthwise && link.kernel[0] % 2 == 1 && link.kernel[1] % 2 == 1 &&
                         link.kernel[2] % 2 == 1;
    if (has_own && kernels == Kernels::fused) return depthwise_conv3d(x, weight, link.stride);
    if (has_own && kernels == Kernels::exported) return depthwise_by_frames(x, weight, link.stride);
    return links_[number]->convolve_with(x, weight);
}

torch::Tensor ChainConv3dImpl::forward(const torch::Tensor& x) const {
    if (kernels == Kernels::exported && !inference::runs_as_factors(layer())) {
        torch::Tensor weight;
        {
            const at::tracer::impl::NoTracerDispatchMode constant;
            weight = merged_weight();
        }
        const TensorLayer& whole = layer().layer;
        Conv3dOptions options{whole.inputs, whole.outputs, whole.kernel, whole.stride};
        return convolve3d(x, weight, links_.back()->bias, options);
    }
    torch::Tensor y = x;
    for (std::size_t i = 0; i < links_.size(); ++i) y = linked(i, y);
    return y;
}

}  // namespace edgeloop
