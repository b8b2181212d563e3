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

std::vector<TensorLayer> tensor_layers_of(const ArchitectureSpec& spec) {
    AnyFamily network = family_named(spec.family, Place("family"));
    read_fields(fields_of(network), spec.architecture, Place("architecture"));
    return std::visit([&](const auto& own) { return own.tensor_layers(spec.clip); }, network);
}

ArchitectureSpec with_final_ranks(ArchitectureSpec spec) {
    if (spec.low_rank.is_dense()) return spec;
    const std::vector<TensorLayer> layers = tensor_layers_of(spec);
    spec.low_rank = with_ranks(spec.low_rank, layers, ranks_of(spec.low_rank, layers));
    return spec;
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
            own.low_rank = spec.low_rank;
            const auto of_bits = own.quantisation.problem(own.layer_groups());
            if (of_bits) return of_bits;
            if (const auto of_family = own.problem()) return of_family;
            if (!own.low_rank.is_dense())
                check_low_rank(own.low_rank, own.tensor_formats(), own.tensor_layers(spec.clip),
                               own.layer_groups().stages, Place("low_rank"));
            return own.low_rank.problem(own.quantisation);
        },
        network);
    if (problem) throw ConfigError(*problem);
    return network;
}

namespace {

/// What training holds besides while ranks adapt.
void add_adaptation(ModelCounts& counts, const ArchitectureSpec& spec) {
    constexpr std::int64_t bytes_per_weight = 4;
    if (spec.low_rank.adaptation != "diagonal") return;  // the others have no state
    for (const auto& [name, layer] : factored_layers(spec.low_rank, tensor_layers_of(spec))) {
        if (!spec.low_rank.form_of(layer.layer).is_open()) continue;
        for (const int rank : layer.ranks) counts.bond_scales += rank;
        if (layer.layer.is_linear)
            for (const TrainCore& core : layer.cores())
                counts.rounding_bytes += bytes_per_weight * core.weights();
        else
            for (const ChainLink& link : layer.chain())
                counts.rounding_bytes += bytes_per_weight * link.weights();
    }
}

}  // namespace

ModelCounts count(const ArchitectureSpec& spec) {
    ModelCounts counts =
        std::visit([&](const auto& own) { return own.count(spec.clip); }, network_of(spec));
    if (spec.low_rank.adapts()) add_adaptation(counts, spec);
    return counts;
}

}  // namespace edgeloop
