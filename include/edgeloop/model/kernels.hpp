#pragma once

namespace edgeloop {

/// Which implementation of its layers a network runs. All agree to rounding.
enum class Kernels {
    fused,    ///< the fast one on CPUs: operations of our own, with their own backward passes
    library,  ///< what a GPU takes: LibTorch's fused attention and its depthwise convolution
    plain,    ///< the reference: only LibTorch's basic operators
    exported  ///< basic operators, too, as runtimes of files take them fastest; not for training
};

/// Those that train, in the order in which users are told.
constexpr Kernels all_kernels[] = {Kernels::plain, Kernels::fused, Kernels::library};

[[nodiscard]] constexpr const char* to_string(Kernels kernels) {
    switch (kernels) {
        case Kernels::fused:
            return "fused";
        case Kernels::library:
            return "library";
        case Kernels::plain:
            return "plain";
        case Kernels::exported:
            break;
    }
    return "exported";
}

/// Whether a trace of them has LibTorch's basic operators alone.
[[nodiscard]] constexpr bool is_traceable(Kernels kernels) {
    return kernels == Kernels::plain || kernels == Kernels::exported;
}

}  // namespace edgeloop
