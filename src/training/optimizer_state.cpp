#include "optimizer_state.hpp"

#include "edgeloop/core/error.hpp"

#include <memory>
#include <sstream>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

using torch::optim::Optimizer;

/// Under which LibTorch keeps a parameter's state: its address as text in 1.x, the address in 2.x.
template <class Key>
Key key_of(const torch::Tensor& parameter) {
    if constexpr (std::is_same_v<Key, std::string>) {
        std::ostringstream text;
        text << parameter.unsafeGetTensorImpl();
        return text.str();
    } else {
        return parameter.unsafeGetTensorImpl();
    }
}
using StateKey = std::decay_t<decltype(std::declval<Optimizer&>().state())>::key_type;

/// What is remembered besides the steps, by name.
template <class State, class Visit>
void fields(State& state, const Visit& visit) {
    if constexpr (std::is_same_v<std::remove_const_t<State>, torch::optim::SGDParamState>) {
        visit("momentum_buffer", state.momentum_buffer());
    } else {
        visit("exp_avg", state.exp_avg());
        visit("exp_avg_sq", state.exp_avg_sq());
    }
}

/// Calls `work` with a pointer to the type of state that the optimiser keeps.
template <class Work>
void with_type(const Optimizer& optimizer, const Work& work) {
    if (dynamic_cast<const torch::optim::Adam*>(&optimizer) != nullptr)
        work(static_cast<torch::optim::AdamParamState*>(nullptr));
    else if (dynamic_cast<const torch::optim::AdamW*>(&optimizer) != nullptr)
        work(static_cast<torch::optim::AdamWParamState*>(nullptr));
    else if (dynamic_cast<const torch::optim::SGD*>(&optimizer) != nullptr)
        work(static_cast<torch::optim::SGDParamState*>(nullptr));
    else
        throw LogicError("an optimiser whose state cannot be kept");
}

std::string place_of(std::size_t parameter, const std::string& name) {
    return fmt::format("{}.{}", parameter, name);
}

/// Of all groups, in their order.
std::vector<torch::Tensor> parameters_of(const Optimizer& optimizer) {
    std::vector<torch::Tensor> all;
    for (const torch::optim::OptimizerParamGroup& group : optimizer.param_groups())
        all.insert(all.end(), group.params().begin(), group.params().end());
    return all;
}

template <class State>
std::unique_ptr<State> made_of(const OptimizerState& from, std::size_t parameter,
                               const torch::Tensor& like) {
    auto made = std::make_unique<State>();
    if constexpr (!std::is_same_v<State, torch::optim::SGDParamState>)
        made->step(from.steps[parameter]);
    fields(*made, [&](const char* name, torch::Tensor& tensor) {
        const auto found = from.tensors.find(place_of(parameter, name));
        if (found == from.tensors.end() || found->second.sizes() != like.sizes())
            throw CorruptState(
                fmt::format("the optimiser's {} of parameter {} is missing or has "
                            "another shape",
                            name, parameter));
        tensor = found->second.to(like.device(), true).clone();
    });
    return made;
}

}  // namespace

OptimizerState state_of(const Optimizer& optimizer) {
    OptimizerState kept;
    const std::vector<torch::Tensor> parameters = parameters_of(optimizer);
    with_type(optimizer, [&](auto* type) {
        using State = std::remove_pointer_t<decltype(type)>;
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            const auto found = optimizer.state().find(key_of<StateKey>(parameters[i]));
            kept.steps.push_back(found == optimizer.state().end() ? -1 : 0);
            if (kept.steps.back() < 0) continue;
            const auto& state = static_cast<const State&>(*found->second);
            if constexpr (!std::is_same_v<State, torch::optim::SGDParamState>)
                kept.steps.back() = state.step();
            fields(state, [&](const char* name, const torch::Tensor& tensor) {
                kept.tensors[place_of(i, name)] = tensor.detach().to(torch::kCPU).contiguous();
            });
        }
    });
    return kept;
}

void set_state(Optimizer& optimizer, const OptimizerState& state) {
    const std::vector<torch::Tensor> parameters = parameters_of(optimizer);
    if (state.steps.size() != parameters.size())
        throw CorruptState(fmt::format("the optimiser's state is of {} parameters, not of {}",
                                       state.steps.size(), parameters.size()));
    with_type(optimizer, [&](auto* type) {
        using State = std::remove_pointer_t<decltype(type)>;
        for (std::size_t i = 0; i < parameters.size(); ++i)
            if (state.steps[i] < 0)
                optimizer.state().erase(key_of<StateKey>(parameters[i]));
            else
                optimizer.state()[key_of<StateKey>(parameters[i])] =
                    made_of<State>(state, i, parameters[i]);
    });
}

OptimizerState state_in_archive(const std::string& bytes) {
    torch::serialize::InputArchive archive, states, groups, group;
    std::istringstream stream(bytes);
    archive.load_from(stream);
    archive.read("state", states);
    archive.read("param_groups", groups);
    groups.read("param_groups/0", group);
    torch::Tensor size;
    group.read("params/size", size);
    OptimizerState found;
    for (std::int64_t i = 0; i < size.item<std::int64_t>(); ++i) {
        c10::IValue key;
        group.read(fmt::format("params/{}", i), key);
        torch::serialize::InputArchive of_parameter;
        found.steps.push_back(states.try_read(key.toStringRef(), of_parameter) ? 0 : -1);
        if (found.steps.back() < 0) continue;
        for (const std::string& name : of_parameter.keys()) {
            c10::IValue value;
            of_parameter.read(name, value);
            if (value.isTensor())
                found.tensors[place_of(std::size_t(i), name)] = value.toTensor();
            else if (name == "step")
                found.steps.back() = value.toInt();
        }
    }
    return found;
}

}  // namespace edgeloop
