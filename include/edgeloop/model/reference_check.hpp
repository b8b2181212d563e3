#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/float_array.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/model/kernels.hpp"
#include "edgeloop/model/processor.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// What an independent implementation computed, in evaluation mode.
struct Reference {
    Json architecture;  ///< as written by that implementation, see spec_of_reference()
    std::map<std::string, FloatArray> parameters;
    FloatArray input;                             ///< (B, 1, frames, height, width)
    FloatArray output;                            ///< (B, 2)
    std::optional<FloatArray> target;             ///< (B, 2)
    std::optional<FloatArray> loss;               ///< mean squared error of output and target
    std::map<std::string, FloatArray> gradients;  ///< of the loss; may be empty
};

/// One compared quantity.
struct Comparison {
    std::string name;           ///< "output", "loss" or the parameter whose gradient it is
    double relative_error = 0;  ///< 2-norm of the difference over 2-norm of the reference
    double tolerance = 0;
    /// False too when an error is not a number.
    [[nodiscard]] bool passed() const { return relative_error <= tolerance; }
};

/// Translates the key names of the published code (patch_size, num_heads, window_size, head_hidden,
/// fc_hidden, in_channels, outputs, ...) into a spec; edgeloop's own names work as well.
///
/// @param input_shape  (B, 1, frames, height, width).
/// @throws ConfigError  not a known family, or options this project does not have.
[[nodiscard]] ArchitectureSpec spec_of_reference(const Json& architecture,
                                                 const std::vector<std::int64_t>& input_shape);

/// Builds the network, loads the parameters, runs the input and compares: the output (tolerance
/// 1e-4), the loss (1e-4) and each gradient (1e-3) that the reference has.
///
/// @param processor  computes it; products there are float32 throughout, without TF32.
/// @throws ConfigError  the reference contradicts itself: shapes, names, architecture; there is no
///                      such processor.
[[nodiscard]] std::vector<Comparison> check_reference(const Reference& reference, Kernels kernels,
                                                      Processor processor = Processor::cpu);

}  // namespace edgeloop
