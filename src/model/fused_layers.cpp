#include "model/fused_layers.hpp"

#include "model/mixed_precision.hpp"

#include <c10/core/impl/LocalDispatchKeySet.h>
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
    return bias.defined() ? d_rows.sum(0).to(bias.scalar_type()) : torch::Tensor();
}

// Under mixed precision products are computed in bfloat16 and norms in float32, as LibTorch's
// autocast has it. The Functions say so themselves: autocast sees neither the results that are
// written in place nor the backward pass, and it would keep a weight that it cast inside of one,
// cut off from its gradient, for whoever uses that weight next.
class ExplicitTypes {
    c10::impl::ExcludeDispatchKeyGuard no_autocast_{c10::autocast_dispatch_keyset};
};

/// linear_as_rows() with all operands in one type.
torch::Tensor linear_in(torch::ScalarType type, const torch::Tensor& x, const torch::Tensor& weight,
                        const OptionalTensor& bias) {
    return linear_as_rows(x.to(type), weight.to(type),
                          bias ? OptionalTensor(bias->to(type)) : OptionalTensor());
}

class NormLinear : public torch::autograd::Function<NormLinear> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                                 const torch::Tensor& norm_weight, const torch::Tensor& norm_bias,
                                 const torch::Tensor& weight, const OptionalTensor& bias) {
        const torch::ScalarType type = compute_type(x);
        const ExplicitTypes explicit_types;
        const auto [normalised, mean, inverse_deviation] = at::native_layer_norm(
            x.to(norm_weight.scalar_type()), {x.size(-1)}, norm_weight, norm_bias, norm_epsilon);
        context->save_for_backward({x, norm_weight, norm_bias, weight,
                                    bias.value_or(torch::Tensor()), mean, inverse_deviation});
        return linear_in(type, normalised, weight, bias);
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& d_output) {
        const auto saved = context->get_saved_variables();
        const ExplicitTypes explicit_types;
        const torch::Tensor &norm_weight = saved[1], &norm_bias = saved[2], &weight = saved[3];
        const torch::Tensor x = saved[0].to(norm_weight.scalar_type());
        const torch::Tensor d_rows = as_rows(d_output[0]);
        torch::Tensor rows = as_rows(std::get<0>(at::native_layer_norm(x, {x.size(-1)}, norm_weight,
                                                                       norm_bias, norm_epsilon)))
                                 .to(d_rows.scalar_type());
        const torch::Tensor d_weight = d_rows.t().mm(rows);
        // From here on the gradient of the normalised rows.
        torch::mm_out(rows, d_rows, weight.to(d_rows.scalar_type()));
        const auto [d_x, d_norm_weight, d_norm_bias] = at::native_layer_norm_backward(
            rows.reshape(x.sizes()).to(x.scalar_type()), x, {x.size(-1)}, saved[5], saved[6],
            norm_weight, norm_bias, {true, true, true});
        return {d_x.to(saved[0].scalar_type()), d_norm_weight, d_norm_bias,
                d_weight.to(weight.scalar_type()), bias_gradient(saved[4], d_rows)};
    }
};

class GeluLinear : public torch::autograd::Function<GeluLinear> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                                 const torch::Tensor& weight, const OptionalTensor& bias) {
        const torch::ScalarType type = compute_type(x);
        const ExplicitTypes explicit_types;
        context->save_for_backward({x, weight, bias.value_or(torch::Tensor())});
        return linear_in(type, torch::gelu(x), weight, bias);
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& d_output) {
        const auto saved = context->get_saved_variables();
        const ExplicitTypes explicit_types;
        const torch::Tensor &x = saved[0], &weight = saved[1];
        const torch::Tensor d_rows = as_rows(d_output[0]);
        torch::Tensor rows = as_rows(torch::gelu(x)).to(d_rows.scalar_type());
        const torch::Tensor d_weight = d_rows.t().mm(rows);
        // From here on the gradient of gelu's output.
        torch::mm_out(rows, d_rows, weight.to(d_rows.scalar_type()));
        return {at::gelu_backward(rows.reshape(x.sizes()).to(x.scalar_type()), x),
                d_weight.to(weight.scalar_type()), bias_gradient(saved[2], d_rows)};
    }
};

}  // namespace

torch::Tensor dense_linear(const Linear& linear, const torch::Tensor& x, Kernels kernels) {
    if (is_traceable(kernels) || linear->is_rounded()) return linear->forward(x);
    return linear_as_rows(x, linear->weight, optional_bias(linear));
}

torch::Tensor norm_linear(const LayerNorm& norm, const Linear& linear, const torch::Tensor& x,
                          Kernels kernels) {
    if (is_traceable(kernels) || linear->is_rounded() || !torch::GradMode::is_enabled())
        return linear->forward(norm->forward(x));
    return NormLinear::apply(x, norm->weight, norm->bias, linear->weight, optional_bias(linear));
}

torch::Tensor gelu_linear(const Linear& linear, torch::Tensor&& x, Kernels kernels) {
    if (!is_traceable(kernels) && !torch::GradMode::is_enabled())
        return linear->forward(torch::gelu_out(x, x));
    if (is_traceable(kernels) || linear->is_rounded()) return linear->forward(torch::gelu(x));
    return GeluLinear::apply(x, linear->weight, optional_bias(linear));
}

}  // namespace edgeloop
