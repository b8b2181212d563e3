#pragma once

namespace edgeloop {

/// Which implementation of its layers a network runs. All agree to rounding.
enum class Kernels {
    fused,    ///< the fast one on CPUs: operations of our own, with their own backward passes
    library,  ///< what a GPU takes: LibTorch's fused attention and its depthwise convolution
    plain     ///< the reference: only LibTorch's basic operators, so it can be traced and exported
};

/// All of them, in the order in which users are told.
constexpr Kernels all_kernels[] = {Kernels::plain, Kernels::fused, Kernels::library};

[[nodiscard]] constexpr const char* to_string(Kernels kernels) {
    return kernels == Kernels::fused ? "fused" : kernels == Kernels::library ? "library" : "plain";
}

}  // namespace edgeloop
