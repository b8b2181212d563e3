#pragma once

#include "data/shard_file.hpp"

#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/data/dataset.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// A line of a part: all that is needed to cut a window out of it.
struct Sample {
    const std::uint8_t* pixels = nullptr;
    std::uint64_t frames = 0;
    std::uint64_t number = 0;
    float speed = 0, power = 0;  ///< normalised
};

struct Dataset::Impl {
    explicit Impl(const std::string& folder);

    /// Of a part, in catalogue order.
    [[nodiscard]] const std::vector<Sample>& samples(SplitPart part) const {
        return parts[static_cast<std::size_t>(part)];
    }

    std::string folder;
    Catalogue catalogue;
    std::string digest;
    std::vector<MappedShard> shards;
    std::array<std::vector<Sample>, split_part_count> parts;
};

}  // namespace edgeloop
