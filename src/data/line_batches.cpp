// Recording::for_each_line.
#include "edgeloop/core/error.hpp"
#include "edgeloop/data/recording.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_frames_in_line = 65536;
/// Bytes of whole frames held at once while lines are cut out.
constexpr std::size_t frame_budget_bytes = std::size_t(48) << 20;
constexpr std::size_t block_bytes = std::size_t(8) << 20;
constexpr std::size_t max_block_bytes = std::size_t(64) << 20;

/// Whole chunks of the first axis, near block_bytes; part of a chunk only when one is huge.
std::uint64_t block_length(const LayerInfo& layer, std::size_t frame_bytes) {
    const std::uint64_t frames = std::max<std::uint64_t>(block_bytes / frame_bytes, 1);
    if (layer.frame_chunk.empty()) return frames;
    const std::uint64_t chunk = std::max<std::uint64_t>(layer.frame_chunk[0], 1);
    if (frames > chunk) return frames / chunk * chunk;
    return std::min(chunk, std::max<std::uint64_t>(max_block_bytes / frame_bytes, 1));
}

/// Cuts the scan lines out of a layer with bounded memory.
///
/// Consecutive lines whose frames fit the budget together are read in one sweep over the layer, in
/// blocks that follow the file's chunks, and cropped from memory. A line too large for the budget
/// alone is swept twice: once for its mean frame, once to crop.
class LineBatches {
  public:
    LineBatches(const Recording& file, const LayerInfo& layer, const LineIndex& index, Crop crop,
                const std::function<void(CroppedLine&)>& use)
        : file_(file),
          layer_(layer),
          index_(index),
          crop_(crop),
          use_(use),
          frame_bytes_(static_cast<std::size_t>(layer.height) *
                       static_cast<std::size_t>(layer.width)),
          block_frames_(block_length(layer, frame_bytes_)) {}

    void run(std::size_t first, std::size_t last) {
        const std::size_t budget = std::max<std::size_t>(frame_budget_bytes / frame_bytes_, 1);
        while (first < last) {
            std::size_t end = first, frames = 0;
            while (end < last && frames + index_.frames_of(end) <= budget)
                frames += index_.frames_of(end++);
            if (end == first)
                large_line(end++);
            else
                small_lines(first, end);
            first = end;
        }
    }

  private:
    void small_lines(std::size_t first, std::size_t last) {
        pixels_.resize((index_.offsets[last] - index_.offsets[first]) * frame_bytes_);
        sweep(first, last, [this](std::uint32_t slot, const std::uint8_t* frame) {
            std::memcpy(pixels_.data() + slot * frame_bytes_, frame, frame_bytes_);
        });
        const std::uint8_t* line_pixels = pixels_.data();
        for (std::size_t line = first; line < last; ++line) {
            const std::size_t frames = index_.frames_of(line);
            if (frames == 0) continue;
            MeanFrame mean(layer_.height, layer_.width);
            for (std::size_t i = 0; i < frames_for_centre(frames); ++i)
                mean.add(line_pixels + i * frame_bytes_);
            start(line, mean);
            for (std::size_t i = 0; i < frames; ++i) cut(i, line_pixels + i * frame_bytes_);
            use_(out_);
            line_pixels += frames * frame_bytes_;
        }
    }

    void large_line(std::size_t line) {
        MeanFrame mean(layer_.height, layer_.width);
        const std::size_t seen = frames_for_centre(index_.frames_of(line));
        sweep(line, line + 1, [&](std::uint32_t slot, const std::uint8_t* frame) {
            if (slot < seen) mean.add(frame);
        });
        start(line, mean);
        sweep(line, line + 1,
              [this](std::uint32_t slot, const std::uint8_t* frame) { cut(slot, frame); });
        use_(out_);
    }

    /// Calls visit(slot, pixels) for each frame of the lines [first, last), in ascending position
    /// in the layer; slots number the frames in the order of their lines.
    void sweep(std::size_t first, std::size_t last,
               const std::function<void(std::uint32_t, const std::uint8_t*)>& visit) {
        struct Wanted {
            std::uint32_t position, slot;
        };
        std::vector<Wanted> wanted;
        for (std::uint64_t i = index_.offsets[first]; i < index_.offsets[last]; ++i)
            wanted.push_back({index_.frames[i], std::uint32_t(i - index_.offsets[first])});
        std::sort(wanted.begin(), wanted.end(),
                  [](const Wanted& a, const Wanted& b) { return a.position < b.position; });
        block_.resize(static_cast<std::size_t>(block_frames_) * frame_bytes_);
        for (std::size_t i = 0; i < wanted.size();) {
            const std::uint64_t begin = wanted[i].position;
            const std::uint64_t block_end = (begin / block_frames_ + 1) * block_frames_;
            std::size_t end = i;
            while (end < wanted.size() && wanted[end].position < block_end) ++end;
            file_.read_frames(layer_, begin, wanted[end - 1].position - begin + 1, block_.data());
            for (; i < end; ++i)
                visit(wanted[i].slot, block_.data() + (wanted[i].position - begin) * frame_bytes_);
        }
    }

    [[nodiscard]] std::size_t frames_for_centre(std::size_t frames) const {
        return crop_ == Crop::causal ? std::min(frames, causal_frames) : frames;
    }
    void start(std::size_t line, const MeanFrame& mean) {
        out_.line = line;
        out_.centre = crop_ == Crop::causal ? mean.middle_of_brightest() : mean.brightest();
        out_.frames = index_.frames_of(line);
        out_.pixels.resize(out_.frames * crop_pixels);
    }
    void cut(std::size_t slot, const std::uint8_t* frame) {
        crop_frame(frame, layer_.height, layer_.width, out_.centre,
                   out_.pixels.data() + slot * crop_pixels);
    }

    const Recording& file_;
    const LayerInfo& layer_;
    const LineIndex& index_;
    Crop crop_;
    const std::function<void(CroppedLine&)>& use_;
    std::size_t frame_bytes_;
    std::uint64_t block_frames_;
    std::vector<std::uint8_t> block_, pixels_;
    CroppedLine out_;
};

}  // namespace

void Recording::for_each_line(const LayerInfo& layer, const LineIndex& index, std::size_t first,
                              std::size_t last, Crop crop,
                              const std::function<void(CroppedLine&)>& use) const {
    for (std::size_t line = first; line < last; ++line)
        if (index.frames_of(line) > max_frames_in_line)
            throw ConfigError(fmt::format("{}: line {} has {} frames; at most {} are supported",
                                          place(layer.group, LayerPart::index), index.numbers[line],
                                          index.frames_of(line), max_frames_in_line));
    LineBatches(*this, layer, index, crop, use).run(first, last);
}

}  // namespace edgeloop
