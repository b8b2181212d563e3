#pragma once

#include "edgeloop/architecture/families/cnn3d.hpp"
#include "edgeloop/architecture/families/mbconv3d.hpp"
#include "edgeloop/architecture/families/swin3d.hpp"

#include <string>
#include <variant>
#include <vector>

namespace edgeloop {

/// The network families: a line here makes one known everywhere.
///
/// A family is a struct with `name`, `fields()`, `quantisation`, `layer_groups()` (the layers that
/// have bits of their own), `low_rank`, `tensor_formats()` and `tensor_layers(clip)` (those that
/// may be in tensor form), `problem()` (why a network cannot be built although every value by
/// itself is legal, or nothing) and `count(clip)`; model/network.hpp says who builds it.
using AnyFamily = std::variant<  //
    Swin3d,                      //
    Cnn3d,                       //
    Mbconv3d                     //
    >;

/// Each family, with nothing but its defaults.
[[nodiscard]] const std::vector<AnyFamily>& families();
[[nodiscard]] const char* name_of(const AnyFamily& network);
/// Its description; the fields point into `network`.
[[nodiscard]] std::vector<Field> fields_of(AnyFamily& network);
/// @param place  of the name, for the error.
/// @throws ConfigError  unknown family.
[[nodiscard]] AnyFamily family_named(const std::string& name, const Place& place);
/// The layers of a spec's network that may be in tensor form, in the order of its modules.
[[nodiscard]] std::vector<TensorLayer> tensor_layers_of(const ArchitectureSpec& spec);
/// The same network with ranks as final: those of the spec, or else the largest of rank_max.
[[nodiscard]] ArchitectureSpec with_final_ranks(ArchitectureSpec spec);
/// The network a spec describes.
/// @throws ConfigError  it is none that can be built.
[[nodiscard]] AnyFamily network_of(const ArchitectureSpec& spec);

}  // namespace edgeloop
