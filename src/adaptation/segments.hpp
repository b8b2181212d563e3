#pragma once

#include "adaptation/unit.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgeloop::adaptation {

/// A network cut into segments of neighbouring units. A pass keeps what each segment begins with;
/// results within a segment are there while its gradients are taken.
struct Segments {
    std::vector<std::size_t> begins;  ///< first unit of each, ascending; 0 first
    std::size_t kept_bytes = 0;       ///< what segments but the first begin with
    std::size_t segment_bytes = 0;    ///< of the largest: choices, and results that are not kept
    std::int64_t repeated = 0;        ///< multiply-adds that are done again in a pass

    [[nodiscard]] std::size_t bytes() const { return kept_bytes + segment_bytes; }
    /// One behind the last unit of a segment.
    [[nodiscard]] std::size_t end(std::size_t segment, std::size_t units) const {
        return segment + 1 < begins.size() ? begins[segment + 1] : units;
    }
};

/// Bytes of what a unit leaves for its gradients, in multiples of 64.
[[nodiscard]] std::size_t result_bytes(const Unit& unit);
[[nodiscard]] std::size_t choice_bytes(const Unit& unit);

/// The cut that repeats the least and takes no more than the limit; where none does, that which
/// takes least.
/// @param limit_bytes  of Segments::bytes().
[[nodiscard]] Segments cut(const std::vector<Unit>& units, std::size_t limit_bytes);

}  // namespace edgeloop::adaptation
