#pragma once

#include "test_vectors.hpp"

#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/link/model_job.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// What the process of a job gets of a model in a file, as the one file that it is given: the
/// model's bytes and the inputs of its test vectors, and never what they expect.
struct ModelBundle {
    std::string_view model;
    std::vector<TensorView> inputs;  ///< with the vectors along the first axis; empty: none
};

/// @param vectors  null: none.
[[nodiscard]] std::string encode_bundle(std::string_view model, const TestVectors* vectors);
/// @param bytes  outlive what is returned. @throws ConfigError.
[[nodiscard]] ModelBundle decode_bundle(std::string_view bytes);

}  // namespace edgeloop
