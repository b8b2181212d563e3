#include "model/graph_walk.hpp"

#include <map>

#include <torch/script.h>

namespace edgeloop {

torch::jit::IValue walk_graph(const torch::jit::Graph& graph, const torch::Tensor& input,
                              const GraphSteps& steps) {
    using torch::jit::IValue;
    using torch::jit::Node;
    using torch::jit::Value;
    std::map<const Value*, IValue> values;
    std::map<const Value*, std::size_t> uses;
    values[graph.inputs().back()] = input;  // the first is the module
    for (const Node* node : graph.nodes()) {
        const Value* output = node->output();
        if (node->kind() == c10::prim::Constant) {
            values[output] = torch::jit::toIValue(output).value();
            continue;
        }
        torch::jit::Stack stack;
        for (const Value* each : node->inputs()) stack.push_back(values.at(each));
        for (const Value* each : node->inputs())
            if (++uses[each] >= each->uses().size()) values.erase(each);
        if (steps.before) steps.before(*node, stack);
        IValue result;
        if (node->kind() == c10::prim::ListConstruct) {
            c10::List<torch::Tensor> list;
            for (const IValue& each : stack) list.push_back(each.toTensor());
            result = list;
        } else {
            node->getOperation()(stack);
            result = stack.back();
        }
        stack.clear();
        if (steps.after) steps.after(*node, result);
        values[output] = std::move(result);
    }
    return values.at(graph.outputs().at(0));
}

}  // namespace edgeloop
