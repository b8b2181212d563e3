#pragma once

#include <cstdint>
#include <vector>

namespace edgeloop {

/// A dense array in row-major order that no numeric library owns: how tensors cross the borders of
/// modules. REQUIRES: values.size() is the product of shape (1 for a scalar).
struct FloatArray {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
};

}  // namespace edgeloop
