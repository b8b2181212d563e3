#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// A layer to write, without its frames.
struct RaiseLayerTables {
    std::string group;  ///< e.g. "/layer0003"
    int height = 0, width = 0;
    std::vector<std::size_t> frames_of_line;
    std::vector<double> laser_params;  ///< (lines, 2): speed in mm/s, power in W; empty: unlabelled
    int deflate = 0;                   ///< 0..9: compression of the frames
};

/// Writes a recording in a RAISE-LPBF layout. It appears under its name with commit(); without
/// that, nothing is left of it. All throw IoError.
class RaiseWriter {
  public:
    explicit RaiseWriter(const std::string& path);
    ~RaiseWriter();
    RaiseWriter(const RaiseWriter&) = delete;
    RaiseWriter& operator=(const RaiseWriter&) = delete;

    /// A group for the layers of an object, as v1.0 has, e.g. "/C027".
    void add_object(const std::string& group);
    void begin_layer(const RaiseLayerTables& tables);
    /// Frames of the layer begun last, in the order of its lines: (count, height, width).
    void append_frames(const std::uint8_t* frames, std::uint64_t count);
    /// REQUIRES: all frames of all layers were appended.
    void commit();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop
