#pragma once

#include "data/hdf5.hpp"

#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/data/recording.hpp"
#include "edgeloop/data/split.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {

/// What a shard keeps of each line besides its pixels.
struct ShardLine {
    std::uint64_t number = 0;    ///< global, in the catalogue's order
    std::uint32_t layer = 0;     ///< position in the shard's list of layers
    std::int64_t scan_line = 0;  ///< value of scan_line_index
    std::uint64_t frames = 0;
    SplitPart part = SplitPart::train;
};

/// Head of a shard: everything known before the pixels are read.
struct ShardHead {
    std::string settings_digest;
    std::vector<std::string> layers;  ///< "source:object/layer"
    std::vector<ShardLine> lines;
    std::vector<Target> targets;
    std::vector<double> labels;  ///< (lines, targets) in physical units; NaN when unlabelled
};

constexpr int shard_version = 1;

/// Writes one shard: under a temporary name until commit(), so that a shard under its own name is
/// always whole. src/data/README.md documents the format.
class ShardWriter {
  public:
    /// @throws IoError.
    ShardWriter(std::string path, const ShardHead& head);

    /// Pixels of the next line. REQUIRES: as many frames as announced. @throws IoError.
    void append(const CroppedLine& line);
    /// Finishes, syncs and renames. REQUIRES: all lines appended. @throws IoError.
    void commit();

  private:
    void write_tables(const ShardHead& head);
    void add_content(const ShardHead& head);
    void add_content(const CroppedLine& line);

    hdf5::NewFile file_;
    hdf5::Dataset frames_;
    std::vector<std::uint64_t> starts_;
    std::vector<std::int16_t> centres_;
    std::string content_;  ///< digest of the lines so far
    std::size_t next_ = 0;
};

/// A whole shard mapped into memory for reading; pages are read when touched, and the system may
/// drop them.
class MappedShard {
  public:
    /// @throws ConfigError  missing, damaged, of another version or made with other settings;
    /// IoError.
    MappedShard(const std::string& path, const std::string& settings_digest);

    /// First pixel of line `i`: (frames, crop_side, crop_side). Valid as long as the mapping.
    [[nodiscard]] const std::uint8_t* pixels(std::size_t i) const {
        return pixels_ + starts_[i] * crop_pixels;
    }

    std::vector<ShardLine> lines;
    std::size_t targets = 0;     ///< of each line
    std::vector<double> labels;  ///< (lines, targets) in physical units; NaN when unlabelled
    /// Digest of its lines and pixels as they were written; empty in shards of older programs.
    std::string content;
    std::shared_ptr<const std::uint8_t> mapping;  ///< of the whole file
    std::uint64_t file_bytes = 0;

  private:
    void read_tables(hid_t file, const std::string& path);
    void map(int descriptor, const std::string& path, std::uint64_t offset, std::uint64_t bytes);

    std::vector<std::uint64_t> starts_;
    const std::uint8_t* pixels_ = nullptr;
};

/// A shard of a catalogue. @throws ConfigError  as MappedShard(), or it is not the one that the
/// catalogue lists: of another size or content, or with other targets.
[[nodiscard]] MappedShard open_shard(const std::string& folder, const Catalogue& catalogue,
                                     const CatalogueShard& shard);

/// A finished shard with these settings and a digest of its content; nothing when there is none.
[[nodiscard]] std::optional<MappedShard> finished_shard(const std::string& path,
                                                        const std::string& settings_digest);

}  // namespace edgeloop
