#include "model/traced_network.hpp"

#include "model/layer_observer.hpp"

#include <algorithm>

#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

namespace edgeloop {

torch::jit::Module traced_network(const std::shared_ptr<Network>& network,
                                  const torch::Tensor& example, TracedOutputs outputs) {
    const torch::NoGradGuard no_grad;
    torch::jit::Module traced("__torch__.Network");  // as in files of PyTorch
    for (const auto& parameter : network->named_parameters()) {
        std::string name = parameter.key();
        std::replace(name.begin(), name.end(), '.', '_');
        traced.register_parameter(name, parameter.value(), false);
    }
    const auto run = [&](const torch::Tensor& clips) -> torch::jit::Stack {
        if (outputs == TracedOutputs::targets) return {network->forward(clips)};
        std::vector<torch::Tensor> results(1);
        const LayerObserver observer(
            [&](const std::string&, const torch::Tensor& result) { results.push_back(result); });
        results.front() = network->forward(clips);
        return {c10::List<torch::Tensor>(results)};
    };
    const auto trace = torch::jit::tracer::trace(
        {example}, [&](torch::jit::Stack inputs) { return run(inputs.at(0).toTensor()); },
        [](const torch::autograd::Variable&) { return std::string(); },
        outputs == TracedOutputs::targets,  // else it warns of the list
        false, &traced);
    const auto graph = trace.first->graph;
    auto* function = traced._ivalue()->compilation_unit()->create_function("forward", graph);
    traced.type()->addMethod(function);
    traced.eval();
    return torch::jit::freeze(traced);
}

void run_scripts_unprofiled() { torch::jit::getExecutorMode() = false; }

}  // namespace edgeloop
