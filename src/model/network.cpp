#include "model/network.hpp"

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/core/error.hpp"

#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {

std::shared_ptr<Network> make_network(const ArchitectureSpec& spec, std::uint64_t seed) {
    return std::visit([&](const auto& own) { return own.build(spec.clip, seed); },
                      network_of(spec));
}

namespace {

/// Whether PyTorch's state dictionaries have this name for a table that follows from the window.
bool is_derived(const std::string& name) {
    constexpr std::string_view suffix = ".relative_position_index";
    return name.size() > suffix.size() &&
           name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0;
}

}  // namespace

void load_weights(Network& network, const std::map<std::string, torch::Tensor>& weights,
                  const std::string& where) {
    auto parameters = network.named_parameters();
    for (const auto& parameter : parameters) {
        const auto found = weights.find(parameter.key());
        if (found == weights.end())
            throw ConfigError(fmt::format("{}: parameter '{}' is missing", where, parameter.key()));
        if (found->second.sizes() != parameter.value().sizes())
            throw ConfigError(fmt::format("{}: parameter '{}' has shape ({}), expected ({})", where,
                                          parameter.key(), fmt::join(found->second.sizes(), ", "),
                                          fmt::join(parameter.value().sizes(), ", ")));
    }
    for (const auto& weight : weights)
        if (!parameters.contains(weight.first) && !is_derived(weight.first))
            throw ConfigError(
                fmt::format("{}: the network has no parameter '{}'", where, weight.first));
    const torch::NoGradGuard no_grad;
    for (auto& parameter : parameters) parameter.value().copy_(weights.at(parameter.key()));
}

}  // namespace edgeloop
