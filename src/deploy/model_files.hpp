#pragma once

#include "edgeloop/deploy/handover.hpp"
#include "edgeloop/deploy/test_vectors.hpp"

#include <string>
#include <vector>

namespace edgeloop {

struct DeployedFiles {
    std::vector<DeployedFile> made;
    std::vector<std::string> left_out;  ///< "NAME: why"
};

/// Exports what the request names into a folder, with the crops as examples. A rounded or
/// native form that this network or this LibTorch does not have is left out.
/// @throws ConfigError  as export_model(), for float32; an unknown name; IoError.
[[nodiscard]] DeployedFiles make_model_files(const HandoverRequest& request, const TestClips& clips,
                                             const std::string& folder);

/// For people: what the file takes and gives.
[[nodiscard]] std::string about(const DeployedFile& file);

}  // namespace edgeloop
