#pragma once

#include "edgeloop/space/search_space.hpp"

namespace edgeloop {

/// The genome of a given design, to put it into the first population.
///
/// @param where  named in errors, e.g. the file the spec came from.
/// @throws ConfigError  the design is not in the space: names the first value the space does not
///                      offer, or says that the space's fixed part differs. The training recipe may
///                      differ where it is no gene.
[[nodiscard]] Genome genome_of(const SearchSpace& space, const ArchitectureSpec& spec,
                               const std::string& where);

}  // namespace edgeloop
