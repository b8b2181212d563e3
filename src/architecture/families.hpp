#pragma once

#include "edgeloop/architecture/static_rules.hpp"
#include "edgeloop/core/object_reader.hpp"

namespace edgeloop {

/// The rules of one network family. `normalise` gives the architecture with every default filled in
/// and every number in its one form, so that equal networks have equal text; it throws ConfigError
/// naming the place of an unknown key, wrong type or value out of range. The others take what
/// `normalise` returned.
struct Family {
    std::string name;
    Json (*normalise)(const Json& architecture, const Place& place);
    std::optional<std::string> (*shape_problem)(const ArchitectureSpec& spec);
    CostEstimate (*estimate)(const ArchitectureSpec& spec);
};

/// @return nullptr for an unknown name.
[[nodiscard]] const Family* find_family(const std::string& name);

extern const Family swin3d_family;
extern const Family cnn3d_family;
extern const Family mbconv3d_family;

/// Weights, gradients and two Adam moments, plus activations of one batch, in float32.
[[nodiscard]] CostEstimate cost_of(double parameters, double activations_per_clip,
                                   const ArchitectureSpec& spec);

}  // namespace edgeloop
