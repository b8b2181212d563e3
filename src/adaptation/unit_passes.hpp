#pragma once

#include "adaptation/unit.hpp"

#include <cstddef>

namespace edgeloop::adaptation {

/// Numbers of scratch that both passes of a unit need.
[[nodiscard]] std::size_t scratch_floats(const Unit& unit);

/// What a unit reads and makes in one pass.
struct UnitPass {
    const float* parameters = nullptr;
    const float* input = nullptr;
    float* output = nullptr;
    Choice* choices = nullptr;  ///< (output elements)
    float* scratch = nullptr;   ///< scratch_floats()
};
void forward(const Unit& unit, const UnitPass& pass);

/// Adds gradients of the unit's parameters, and sets those of its input.
/// @param pass  of forward(), whose results are there still; scratch is written to.
/// @param gradients  of all parameters.
/// @param output_gradient  (output elements).
/// @param input_gradient   (input elements); null: nobody wants them.
void backward(const Unit& unit, const UnitPass& pass, float* gradients,
              const float* output_gradient, float* input_gradient);

}  // namespace edgeloop::adaptation
