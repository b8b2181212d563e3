#include "edgeloop/model/reference_check.hpp"

#include "model/network.hpp"
#include "model/processor.hpp"
#include "model/torch_error.hpp"

#include "edgeloop/core/error.hpp"

#include <ATen/Context.h>
#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double output_tolerance = 1e-4;
constexpr double gradient_tolerance = 1e-3;

torch::Tensor tensor_of(const FloatArray& array) {
    std::int64_t elements = 1;
    for (const std::int64_t length : array.shape) elements *= length;
    if (elements != static_cast<std::int64_t>(array.values.size()))
        throw ConfigError("a tensor of the reference has another shape than expected");
    return torch::tensor(array.values, torch::kFloat).reshape(array.shape);
}

/// Norm of the difference over norm of the reference, in double; the plain norm where the reference
/// is all zeros.
double relative_error(const torch::Tensor& value, const FloatArray& expected,
                      const std::string& name) {
    const torch::Tensor reference = tensor_of(expected).to(torch::kDouble);
    if (value.sizes() != reference.sizes())
        throw ConfigError(
            fmt::format("'{}' of the reference has another shape than the network's", name));
    const double norm = reference.norm().item<double>();
    const double difference =
        (value.detach().to(torch::kCPU, torch::kDouble) - reference).norm().item<double>();
    return norm > 0 ? difference / norm : difference;
}

/// While it lives, no product is computed with TF32's ten bits, which convolutions on CUDA use
/// unless told otherwise.
class ExactProducts {
  public:
    ExactProducts() : before_(at::globalContext().allowTF32CuDNN()) {
        at::globalContext().setAllowTF32CuDNN(false);
    }
    ~ExactProducts() { at::globalContext().setAllowTF32CuDNN(before_); }
    ExactProducts(const ExactProducts&) = delete;
    ExactProducts& operator=(const ExactProducts&) = delete;

  private:
    bool before_;
};

std::vector<Comparison> compare(Network& network, const Reference& reference,
                                torch::Device device) {
    std::vector<Comparison> result;
    const torch::Tensor output = network.forward(tensor_of(reference.input).to(device));
    result.push_back(
        {"output", relative_error(output, reference.output, "output"), output_tolerance});
    if (!reference.target) {
        if (reference.loss || !reference.gradients.empty())
            throw ConfigError("the reference has a loss or gradients but no 'target'");
        return result;
    }
    const torch::Tensor target = tensor_of(*reference.target).to(device);
    if (target.sizes() != output.sizes())
        throw ConfigError("'target' of the reference has another shape than its output");
    const torch::Tensor loss = torch::mse_loss(output, target);
    if (reference.loss)
        result.push_back({"loss",
                          relative_error(loss.reshape({1}), {{1}, reference.loss->values}, "loss"),
                          output_tolerance});
    if (reference.gradients.empty()) return result;
    loss.backward();
    const auto parameters = network.named_parameters();
    for (const auto& [name, gradient] : reference.gradients) {
        if (!parameters.contains(name))
            throw ConfigError(fmt::format("gradient of unknown parameter '{}'", name));
        const torch::Tensor& own = parameters[name].grad();
        result.push_back({name,
                          relative_error(own.defined() ? own : torch::zeros_like(parameters[name]),
                                         gradient, name),
                          gradient_tolerance});
    }
    return result;
}

}  // namespace

std::vector<Comparison> check_reference(const Reference& reference, Kernels kernels,
                                        Processor processor) {
    const ArchitectureSpec spec = spec_of_reference(reference.architecture, reference.input.shape);
    return translate_torch_errors("checking the reference", [&] {
        const auto network = make_network(spec, 0);
        std::map<std::string, torch::Tensor> weights;
        for (const auto& [name, array] : reference.parameters) weights[name] = tensor_of(array);
        load_weights(*network, weights, "parameters of the reference");
        network->eval();
        network->set_kernels(kernels);
        const torch::Device device = device_of(processor);
        network->to(device);
        const ExactProducts exact;
        return compare(*network, reference, device);
    });
}

}  // namespace edgeloop
