#include "edgeloop/architecture/families.hpp"

#include "edgeloop/core/error.hpp"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

template <std::size_t... i>
std::vector<AnyFamily> all_families(std::index_sequence<i...>) {
    return {std::variant_alternative_t<i, AnyFamily>{}...};
}

}  // namespace

const std::vector<AnyFamily>& families() {
    static const std::vector<AnyFamily> all =
        all_families(std::make_index_sequence<std::variant_size_v<AnyFamily>>());
    return all;
}

const char* name_of(const AnyFamily& network) {
    return std::visit([](const auto& own) { return own.name; }, network);
}

std::vector<Field> fields_of(AnyFamily& network) {
    return std::visit([](auto& own) { return own.fields(); }, network);
}

AnyFamily family_named(const std::string& name, const Place& place) {
    std::vector<std::string> names;
    for (const AnyFamily& family : families()) {
        if (name == name_of(family)) return family;
        names.emplace_back(name_of(family));
    }
    throw ConfigError(fmt::format("{}: unknown family '{}'", place.text(), name), {},
                      fmt::format("the families are {}", fmt::join(names, ", ")));
}

AnyFamily network_of(const ArchitectureSpec& spec) {
    if (spec.clip.frames < 1 || spec.clip.side < 1)
        throw ConfigError(fmt::format("clip: frames ({}) and side ({}) must be positive",
                                      spec.clip.frames, spec.clip.side));
    AnyFamily network = family_named(spec.family, Place("family"));
    read_fields(fields_of(network), spec.architecture, Place("architecture"));
    const auto problem = std::visit(
        [&](auto& own) {
            own.quantisation = spec.quantisation;
            const auto of_bits = own.quantisation.problem(own.layer_groups());
            return of_bits ? of_bits : own.problem();
        },
        network);
    if (problem) throw ConfigError(*problem);
    return network;
}

ModelCounts count(const ArchitectureSpec& spec) {
    return std::visit([&](const auto& own) { return own.count(spec.clip); }, network_of(spec));
}

}  // namespace edgeloop
