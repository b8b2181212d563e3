#pragma once

#include "edgeloop/inference/graph.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace edgeloop::inference {

/// Kernels read up to so many bytes past the end of what they are given.
constexpr std::size_t slack_bytes = 64, alignment = 64;

/// Where a tensor lies in memory: (T, H, W, C) with the padding that its readers need around it.
struct Place {
    Shape shape;
    Elements elements;
    Triple before{0, 0, 0}, after{0, 0, 0};
    std::byte* memory = nullptr;

    [[nodiscard]] std::size_t element_bytes() const { return elements.are_real() ? 4 : 1; }
    [[nodiscard]] Triple padded() const {
        Triple grid = shape.grid;
        for (std::size_t d = 0; d < 3; ++d) grid[d] += before[d] + after[d];
        return grid;
    }
    [[nodiscard]] bool has_padding() const { return padded() != shape.grid; }
    [[nodiscard]] std::int64_t padded_elements() const {
        return Shape{shape.channels, padded()}.elements();
    }
    [[nodiscard]] std::size_t bytes() const {
        return static_cast<std::size_t>(padded_elements()) * element_bytes() + slack_bytes;
    }
    /// Elements from the memory's begin to a position; negative ones lie in the padding.
    [[nodiscard]] std::ptrdiff_t element(std::int64_t t, std::int64_t h, std::int64_t w) const {
        const Triple grid = padded();
        return (((t + before[0]) * grid[1] + h + before[1]) * grid[2] + w + before[2]) *
               shape.channels;
    }
    [[nodiscard]] float* real(std::int64_t t, std::int64_t h, std::int64_t w = 0) const {
        return reinterpret_cast<float*>(memory) + element(t, h, w);
    }
    [[nodiscard]] std::uint8_t* bytes_at(std::int64_t t, std::int64_t h, std::int64_t w = 0) const {
        return reinterpret_cast<std::uint8_t*>(memory) + element(t, h, w);
    }
    [[nodiscard]] std::byte* at(std::int64_t t, std::int64_t h, std::int64_t w = 0) const {
        return memory + element(t, h, w) * static_cast<std::ptrdiff_t>(element_bytes());
    }
    [[nodiscard]] int row_elements() const { return shape.grid[2] * shape.channels; }
};

}  // namespace edgeloop::inference
