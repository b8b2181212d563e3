#include "model/fused_layers.hpp"

#include <torch/csrc/autograd/custom_function.h>

namespace edgeloop {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;
using OptionalTensor = c10::optional<torch::Tensor>;

/// All but the last dimension as one.
torch::Tensor as_rows(const torch::Tensor& x) { return x.reshape({-1, x.size(-1)}); }

/// torch::linear() whose result is no view: LibTorch 2 computes more than two dimensions as a view
/// of rows. A Function must not return one, because its caller may not change it in place; and
/// where autograd sees one changed, it copies gradients.
torch::Tensor linear_as_rows(const torch::Tensor& x, const torch::Tensor& weight,
                             const OptionalTensor& bias) {
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.back() = weight.size(0);
    return at::_unsafe_view(torch::linear(as_rows(x), weight, bias), sizes);
}

/// Biases reach Functions as optional, which unlike undefined tensors they accept.
OptionalTensor optional_bias(const Linear& linear) {
    return linear->bias.defined() ? OptionalTensor(linear->bias) : OptionalTensor();
}

torch::Tensor bias_gradient(const torch::Tensor& bias, const torch::Tensor& d_rows) {
    return bias.defined() ? d_rows.sum(0) : torch::Tensor();
}

class NormLinear : public torch::autograd::Function<NormLinear> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                                 const torch::Tensor& norm_weight, const torch::Tensor& norm_bias,
                                 const torch::Tensor& weight, const OptionalTensor& bias) {
        const auto [normalised, mean, inverse_deviation] =
            at::native_layer_norm(x, {x.size(-1)}, norm_weight, norm_bias, norm_epsilon);
        context->save_for_backward({x, norm_weight, norm_bias, weight,
                                    bias.value_or(torch::Tensor()), mean, inverse_deviation});
        return linear_as_rows(normalised, weight, bias);
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& d_output) {
        const auto saved = context->get_saved_variables();
        const torch::Tensor &x = saved[0], &norm_weight = saved[1], &norm_bias = saved[2];
        const torch::Tensor d_rows = as_rows(d_output[0]);
        torch::Tensor rows = as_rows(std::get<0>(
            at::native_layer_norm(x, {x.size(-1)}, norm_weight, norm_bias, norm_epsilon)));
        const torch::Tensor d_weight = d_rows.t().mm(rows);
        torch::mm_out(rows, d_rows, saved[3]);  // from here on the gradient of the normalised rows
        const auto [d_x, d_norm_weight, d_norm_bias] =
            at::native_layer_norm_backward(rows.reshape(x.sizes()), x, {x.size(-1)}, saved[5],
                                           saved[6], norm_weight, norm_bias, {true, true, true});
        return {d_x, d_norm_weight, d_norm_bias, d_weight, bias_gradient(saved[4], d_rows)};
    }
};

class GeluLinear : public torch::autograd::Function<GeluLinear> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                                 const torch::Tensor& weight, const OptionalTensor& bias) {
        context->save_for_backward({x, weight, bias.value_or(torch::Tensor())});
        return linear_as_rows(torch::gelu(x), weight, bias);
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& d_output) {
        const auto saved = context->get_saved_variables();
        const torch::Tensor& x = saved[0];
        const torch::Tensor d_rows = as_rows(d_output[0]);
        torch::Tensor rows = as_rows(torch::gelu(x));
        const torch::Tensor d_weight = d_rows.t().mm(rows);
        torch::mm_out(rows, d_rows, saved[1]);  // from here on the gradient of gelu's output
        return {at::gelu_backward(rows.reshape(x.sizes()), x), d_weight,
                bias_gradient(saved[2], d_rows)};
    }
};

}  // namespace

torch::Tensor dense_linear(const Linear& linear, const torch::Tensor& x, Kernels kernels) {
    if (kernels == Kernels::plain) return linear->forward(x);
    return linear_as_rows(x, linear->weight, optional_bias(linear));
}

torch::Tensor norm_linear(const LayerNorm& norm, const Linear& linear, const torch::Tensor& x,
                          Kernels kernels) {
    if (kernels == Kernels::plain || !torch::GradMode::is_enabled())
        return linear->forward(norm->forward(x));
    return NormLinear::apply(x, norm->weight, norm->bias, linear->weight, optional_bias(linear));
}

torch::Tensor gelu_linear(const Linear& linear, torch::Tensor&& x, Kernels kernels) {
    if (kernels == Kernels::plain) return linear->forward(torch::gelu(x));
    if (!torch::GradMode::is_enabled()) return linear->forward(torch::gelu_out(x, x));
    return GeluLinear::apply(x, linear->weight, optional_bias(linear));
}

}  // namespace edgeloop
