#pragma once

#include "adaptation/unit_passes.hpp"

namespace edgeloop::adaptation {

// Of units whose operation is convolution or depthwise; as in unit_passes.hpp.
[[nodiscard]] std::size_t convolution_scratch_floats(const Unit& unit);
void convolve(const Unit& unit, const UnitPass& pass);
void convolve_back(const Unit& unit, const UnitPass& pass, float* gradients,
                   const float* output_gradient, float* input_gradient);

}  // namespace edgeloop::adaptation
