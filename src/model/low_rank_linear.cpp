#include "model/low_rank_linear.hpp"

#include "model/mixed_precision.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/factors.hpp"

#include <ATen/TracerMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>

namespace edgeloop {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;
using OptionalTensor = c10::optional<torch::Tensor>;
using Cores = std::vector<torch::Tensor>;

torch::Tensor as_rows(const torch::Tensor& x) { return x.reshape({-1, x.size(-1)}); }

/// Rows as a tensor of these leading sizes that is no view: a caller may change it in place.
torch::Tensor as_result(const torch::Tensor& rows, const torch::Tensor& like) {
    std::vector<std::int64_t> sizes = like.sizes().vec();
    sizes.back() = rows.size(1);
    return at::_unsafe_view(rows, sizes);
}

/// (inputs, rank): the first half of the cores of tt.
torch::Tensor merged_inputs(const Cores& cores) {
    torch::Tensor merged = cores[0].reshape({cores[0].size(1), -1});
    for (std::size_t k = 1; k < cores.size() / 2; ++k)
        merged =
            merged.mm(cores[k].reshape({cores[k].size(0), -1})).reshape({-1, cores[k].size(2)});
    return merged;
}

/// (rank, outputs): the second half.
torch::Tensor merged_outputs(const Cores& cores) {
    torch::Tensor merged = cores.back().reshape({cores.back().size(0), -1});
    for (std::size_t k = cores.size() - 1; k-- > cores.size() / 2;)
        merged =
            cores[k].reshape({-1, cores[k].size(2)}).mm(merged).reshape({cores[k].size(0), -1});
    return merged;
}

torch::Tensor two_sided(const torch::Tensor& x, const Cores& cores, const torch::Tensor& bias) {
    const torch::Tensor middle = as_rows(x).mm(merged_inputs(cores));
    return as_result(torch::addmm(bias, middle, merged_outputs(cores)), x);
}

/// The same by operators that a trace takes with any batch.
torch::Tensor traced_two_sided(const torch::Tensor& x, const Cores& cores,
                               const torch::Tensor& bias) {
    return torch::linear(torch::linear(x, merged_inputs(cores).t()), merged_outputs(cores).t(),
                         bias);
}

/// A core of ttm (left, outputs, inputs, right) as the matrix that one product takes, (inputs times
/// right, outputs times left).
torch::Tensor as_matrix(const torch::Tensor& core) {
    return core.permute({2, 3, 1, 0}).reshape({core.size(2) * core.size(3), -1});
}

/// What core k of ttm reads, as rows (..., inputs times right), of what the cores behind it gave:
/// (rows, inputs of cores before k, input, outputs of cores behind k, right).
struct Contraction {
    std::int64_t before, input, behind, right, output, left;

    [[nodiscard]] torch::Tensor rows_of(const torch::Tensor& x) const {
        return x.reshape({before, input, behind, right})
            .permute({0, 2, 1, 3})
            .reshape({before * behind, input * right});
    }
    [[nodiscard]] torch::Tensor from_rows(const torch::Tensor& rows) const {
        return rows.reshape({before, behind, input, right}).permute({0, 2, 1, 3});
    }
    /// Of rows (..., outputs times left): what the next core reads.
    [[nodiscard]] torch::Tensor result_of(const torch::Tensor& rows) const {
        return rows.reshape({before, behind, output, left}).permute({0, 2, 1, 3});
    }
    [[nodiscard]] torch::Tensor to_rows(const torch::Tensor& result) const {
        return result.reshape({before, output, behind, left})
            .permute({0, 2, 1, 3})
            .reshape({before * behind, output * left});
    }
};

/// In the order of the cores.
std::vector<Contraction> contractions(const Cores& cores, std::int64_t rows) {
    std::vector<Contraction> all(cores.size());
    std::int64_t before = rows, behind = 1;
    for (const torch::Tensor& core : cores) before *= core.size(2);
    for (std::size_t k = cores.size(); k-- > 0;) {
        before /= cores[k].size(2);
        all[k] = {before,           cores[k].size(2), behind,
                  cores[k].size(3), cores[k].size(1), cores[k].size(0)};
        behind *= cores[k].size(1);
    }
    return all;
}

/// @param keep  gets what each core reads, when it is not null.
torch::Tensor contract(const torch::Tensor& rows, const Cores& cores, Cores* keep) {
    const std::vector<Contraction> steps = contractions(cores, rows.size(0));
    torch::Tensor x = rows;
    if (keep != nullptr) keep->resize(cores.size());
    for (std::size_t k = cores.size(); k-- > 0;) {
        const torch::Tensor read = steps[k].rows_of(x);
        if (keep != nullptr) (*keep)[k] = read;
        x = steps[k].result_of(read.mm(as_matrix(cores[k])));
    }
    return x.reshape({rows.size(0), -1});
}

class MatrixTrain : public torch::autograd::Function<MatrixTrain> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                                 const torch::Tensor& bias, const torch::Tensor& first,
                                 const torch::Tensor& second, const OptionalTensor& third) {
        const torch::ScalarType type = compute_type(x);
        const c10::impl::ExcludeDispatchKeyGuard explicit_types(c10::autocast_dispatch_keyset);
        context->save_for_backward({x, bias, first, second, third.value_or(torch::Tensor())});
        Cores cores{first.to(type), second.to(type)};
        if (third) cores.push_back(third->to(type));
        return as_result(contract(as_rows(x).to(type), cores, nullptr) + bias.to(type), x);
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& d_output) {
        const auto saved = context->get_saved_variables();
        const c10::impl::ExcludeDispatchKeyGuard explicit_types(c10::autocast_dispatch_keyset);
        const torch::Tensor &x = saved[0], &bias = saved[1];
        const torch::Tensor d_rows = as_rows(d_output[0]);
        Cores cores, read;
        for (std::size_t k = 2; k < saved.size(); ++k)
            if (saved[k].defined()) cores.push_back(saved[k].to(d_rows.scalar_type()));
        (void)contract(as_rows(x).to(d_rows.scalar_type()), cores, &read);
        const std::vector<Contraction> steps = contractions(cores, d_rows.size(0));
        tensor_list gradients(5);
        gradients[1] = d_rows.sum(0).to(bias.scalar_type());
        torch::Tensor d = d_rows;
        for (std::size_t k = 0; k < cores.size(); ++k) {
            const Contraction& step = steps[k];
            const torch::Tensor d_product = step.to_rows(d);
            gradients[2 + k] = read[k]
                                   .t()
                                   .mm(d_product)
                                   .reshape({step.input, step.right, step.output, step.left})
                                   .permute({3, 2, 0, 1})
                                   .to(saved[2 + k].scalar_type());
            read[k].reset();
            d = step.from_rows(d_product.mm(as_matrix(cores[k]).t()));
        }
        gradients[0] = d.reshape(x.sizes()).to(x.scalar_type());
        return gradients;
    }
};

}  // namespace

TensorLinearImpl::TensorLinearImpl(const FactoredLayer& layer) : FactoredModule(layer) {
    const std::vector<TrainCore> shapes = layer.cores();
    const bool is_matrix = layer.format == "ttm";
    EDGELOOP_EXPECT(!is_matrix || shapes.size() == 2 || shapes.size() == 3,
                    "two or three pairs of factors");
    for (std::size_t k = 0; k < shapes.size(); ++k) {
        const TrainCore& core = shapes[k];
        const std::vector<std::int64_t> shape =
            is_matrix ? std::vector<std::int64_t>{core.left, core.outputs, core.inputs, core.right}
                      : std::vector<std::int64_t>{
                            core.left, std::int64_t{core.inputs} * core.outputs, core.right};
        add_core(register_parameter("core" + std::to_string(k), torch::empty(shape)));
    }
    bias = register_parameter("bias", torch::empty({layer.layer.outputs}));
}

std::vector<torch::Tensor> TensorLinearImpl::scaled_cores() const {
    Cores scaled;
    for (std::size_t k = 0; k < cores().size(); ++k) scaled.push_back(scaled_core(k));
    return scaled;
}

AnyLinear::AnyLinear(torch::nn::Module& parent, const std::string& name, std::int64_t inputs,
                     std::int64_t outputs, const RoundingOptions& rounding,
                     const FactoredLayer* factored) {
    if (factored != nullptr)
        factored_ = parent.register_module(name, TensorLinear(*factored));
    else
        dense_ =
            parent.register_module(name, Linear(inputs, outputs, LinearImpl::Bias::yes, rounding));
}

torch::Tensor AnyLinear::forward(const torch::Tensor& x) const {
    return factored_.is_empty() ? dense_->forward(x) : factored_->forward(x);
}

const torch::Tensor& AnyLinear::bias() const {
    return factored_.is_empty() ? dense_->bias : factored_->bias;
}

torch::Tensor TensorLinearImpl::forward(const torch::Tensor& x) const {
    if (kernels == Kernels::exported) {
        Cores constants;
        {
            const at::tracer::impl::NoTracerDispatchMode constant;
            constants = inference::runs_as_factors(layer()) ? scaled_cores() : Cores();
            if (constants.empty()) constants.push_back(merged_weight());
            if (constants.size() > 1)
                constants = {merged_inputs(constants).t().contiguous(),
                             merged_outputs(constants).t().contiguous()};
        }
        if (constants.size() == 1) return torch::linear(x, constants[0], bias);
        return torch::linear(torch::linear(x, constants[0]), constants[1], bias);
    }
    const Cores scaled = scaled_cores();
    if (layer().format == "tt")
        return kernels == Kernels::plain ? traced_two_sided(x, scaled, bias)
                                         : two_sided(x, scaled, bias);
    if (kernels == Kernels::plain || !torch::GradMode::is_enabled())
        return (contract(as_rows(x), scaled, nullptr) + bias).reshape([&] {
            std::vector<std::int64_t> sizes = x.sizes().vec();
            sizes.front() = -1;
            sizes.back() = layer().layer.outputs;
            return sizes;
        }());
    return MatrixTrain::apply(x, bias, scaled[0], scaled[1],
                              scaled.size() > 2 ? OptionalTensor(scaled[2]) : OptionalTensor());
}

}  // namespace edgeloop
