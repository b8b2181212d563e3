#pragma once

#include "edgeloop/data/catalogue.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// A scan line: all that is needed to cut a window out of it. Valid as long as its Dataset.
struct Sample {
    const std::uint8_t* pixels = nullptr;  ///< (frames, crop_side, crop_side)
    std::uint64_t frames = 0;
    std::uint64_t number = 0;        ///< global, in the catalogue
    std::int64_t scan_line = 0;      ///< its number in the recording
    const float* targets = nullptr;  ///< those of the catalogue, divided by their scales
};

/// The shards of a folder, each opened once and mapped into memory, for any number of loaders.
///
/// What it holds stays as it was opened: shards that are made anew meanwhile are not seen.
class Dataset {
  public:
    /// For one thread at a time (HDF5).
    /// @throws ConfigError  no such folder; a shard is missing, damaged or not the catalogue's.
    explicit Dataset(const std::string& folder);
    Dataset(const Dataset&) = delete;
    Dataset& operator=(const Dataset&) = delete;

    [[nodiscard]] const Catalogue& catalogue() const { return catalogue_; }
    /// The catalogue's: equal on all ranks that see the same data.
    [[nodiscard]] const std::string& digest() const { return catalogue_.digest; }
    /// Of a part, in catalogue order.
    [[nodiscard]] const std::vector<Sample>& samples(SplitPart part) const {
        return samples_[static_cast<std::size_t>(part)];
    }

  private:
    Catalogue catalogue_;
    std::vector<std::shared_ptr<const std::uint8_t>> mappings_;
    std::vector<std::vector<float>> targets_;  ///< of each shard: (lines, targets)
    std::array<std::vector<Sample>, split_part_count> samples_;
};

/// Files of shards that this process has opened for reading so far: what a parallel file system
/// feels.
[[nodiscard]] std::uint64_t opened_shards();

}  // namespace edgeloop
