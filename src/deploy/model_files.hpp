#pragma once

#include "edgeloop/deploy/stored_network.hpp"
#include "edgeloop/deploy/test_vectors.hpp"

#include <vector>

namespace edgeloop {

/// The network in the forms that runtimes of devices load.
/// @throws ConfigError  weights of another network; a form that cannot be written; IoError.
[[nodiscard]] std::vector<ModelFile> model_files(const StoredNetwork& network);

}  // namespace edgeloop
