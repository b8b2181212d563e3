#pragma once

namespace edgeloop {

/// Which implementation of its layers a network runs. Both agree to rounding.
enum class Kernels {
    fused,  ///< the fast one: fused operations with their own backward passes
    plain   ///< the reference: only LibTorch's operators, so it can be traced and exported
};

[[nodiscard]] constexpr const char* to_string(Kernels kernels) {
    return kernels == Kernels::fused ? "fused" : "plain";
}

}  // namespace edgeloop
