#pragma once

#include "edgeloop/data/split.hpp"
#include "edgeloop/data/target.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// Distribution of the targets of some scan lines, in physical units, one entry for each target.
/// Variances divide by the number of lines. No entries when there is no labelled line.
struct TargetStatistics {
    std::uint64_t lines = 0;
    std::vector<double> mean, variance;
};

struct CatalogueShard {
    std::string file;  ///< name inside the folder
    std::uint64_t bytes = 0, lines = 0, frames = 0;
    std::string digest;   ///< of the whole file
    std::string content;  ///< digest of its lines, which the shard holds, too; empty in version 1
};

/// One layer of the source data and where its lines went.
struct CatalogueLayer {
    std::string object, layer;
    std::string source;  ///< name of the file it came from, without folders
    SplitPart part = SplitPart::train;
    std::uint64_t first_line = 0;  ///< global number of its first line
    std::uint64_t lines = 0, frames = 0;
};

struct PartSummary {
    std::uint64_t layers = 0, lines = 0, frames = 0;
    TargetStatistics targets;
};

/// What is in a folder of shards. Lines are numbered 0, 1, 2 ... through layers and shards alike.
struct Catalogue {
    std::vector<Target> targets = raise_targets();  ///< of every line that is labelled
    SplitOptions split;
    Crop crop = Crop::causal;                ///< of all lines; before version 4: published
    std::string settings_digest;             ///< of everything that decides the shards' content
    std::uint64_t lines_without_frames = 0;  ///< left out
    std::uint64_t frames_without_line = 0;   ///< left out: negative scan_line_index
    std::vector<CatalogueShard> shards;
    std::vector<CatalogueLayer> layers;
    std::array<PartSummary, split_part_count> parts;
    /// Identifies shards and split: 32 hexadecimal digits, as they were read; empty when it was
    /// not. It covers the digest of each shard's bytes, so it changes with any pixel, label or
    /// part; not with the folder or the time. Records of a search keep it, so that a later
    /// evaluation can tell whether it uses the same data.
    std::string digest;

    [[nodiscard]] const PartSummary& part(SplitPart which) const {
        return parts[static_cast<std::size_t>(which)];
    }
};

/// Written. Versions 1, without digests of content, 2, whose targets are speed and power, and 3,
/// cropped as published, are read, too.
constexpr int catalogue_version = 4;

/// JSON text of a catalogue; ends with its own digest, which parse_catalogue() checks.
[[nodiscard]] std::string format_catalogue(const Catalogue& catalogue);

/// @param where  named in errors.
/// @throws ConfigError  malformed, of another version, damaged, or numbers that contradict each
/// other.
[[nodiscard]] Catalogue parse_catalogue(std::string_view text, const std::string& where);

/// Reads `folder`/catalogue.json. @throws ConfigError  missing or as parse_catalogue().
[[nodiscard]] Catalogue read_catalogue(const std::string& folder);

}  // namespace edgeloop
