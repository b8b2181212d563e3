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
/// have bits of their own), `problem()` (why a network cannot be built although every value by
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
/// The network a spec describes.
/// @throws ConfigError  it is none that can be built.
[[nodiscard]] AnyFamily network_of(const ArchitectureSpec& spec);

}  // namespace edgeloop
