#pragma once

#include "edgeloop/data/recording.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace edgeloop {

/// Cuts the scan lines out of a layer with bounded memory.
///
/// Consecutive lines whose frames fit the budget together are read in one sweep over the layer, in
/// blocks that follow the file's chunks, and cropped from memory. A line too large for the budget
/// alone is swept twice: once for its mean frame, once to crop.
class LineBatches {
  public:
    LineBatches(const Recording& file, const LayerInfo& layer, const LineIndex& index,
                std::size_t budget_bytes);

    /// As Recording::for_each_line.
    void for_each(std::size_t first, std::size_t last,
                  const std::function<void(CroppedLine&)>& use);

  private:
    /// One frame to fetch and where it belongs.
    struct Wanted {
        std::uint32_t position;  ///< in the layer
        std::uint32_t slot;      ///< in the order asked for
    };

    void small_lines(std::size_t first, std::size_t last,
                     const std::function<void(CroppedLine&)>& use);
    void large_line(std::size_t line, const std::function<void(CroppedLine&)>& use);
    /// Calls visit(slot, pixels) for each wanted frame, in ascending position.
    void sweep(std::vector<Wanted> wanted,
               const std::function<void(std::uint32_t, const std::uint8_t*)>& visit);
    [[nodiscard]] std::vector<Wanted> frames_of(std::size_t first, std::size_t last) const;
    void start(CroppedLine& out, std::size_t line, PixelPosition centre) const;

    const Recording& file_;
    const LayerInfo& layer_;
    const LineIndex& index_;
    std::size_t frame_bytes_;
    std::size_t frames_in_budget_;
    std::uint64_t block_frames_;
    std::vector<std::uint8_t> block_, pixels_;
};

}  // namespace edgeloop
