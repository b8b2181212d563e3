#include "data/line_batches.hpp"

#include <algorithm>
#include <cstring>

namespace edgeloop {
namespace {

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

}  // namespace

LineBatches::LineBatches(const Recording& file, const LayerInfo& layer, const LineIndex& index,
                         std::size_t budget_bytes)
    : file_(file),
      layer_(layer),
      index_(index),
      frame_bytes_(static_cast<std::size_t>(layer.height) * static_cast<std::size_t>(layer.width)),
      frames_in_budget_(std::max<std::size_t>(budget_bytes / frame_bytes_, 1)),
      block_frames_(block_length(layer, frame_bytes_)) {}

void LineBatches::for_each(std::size_t first, std::size_t last,
                           const std::function<void(CroppedLine&)>& use) {
    while (first < last) {
        std::size_t end = first, frames = 0;
        while (end < last && frames + index_.frames_of(end) <= frames_in_budget_)
            frames += index_.frames_of(end++);
        if (end == first)
            large_line(end++, use);
        else
            small_lines(first, end, use);
        first = end;
    }
}

void LineBatches::small_lines(std::size_t first, std::size_t last,
                              const std::function<void(CroppedLine&)>& use) {
    pixels_.resize((index_.offsets[last] - index_.offsets[first]) * frame_bytes_);
    sweep(frames_of(first, last), [this](std::uint32_t slot, const std::uint8_t* frame) {
        std::memcpy(pixels_.data() + slot * frame_bytes_, frame, frame_bytes_);
    });
    CroppedLine out;
    const std::uint8_t* line_pixels = pixels_.data();
    for (std::size_t line = first; line < last; ++line) {
        const std::size_t frames = index_.frames_of(line);
        if (frames == 0) continue;
        MeanFrame mean(layer_.height, layer_.width);
        for (std::size_t i = 0; i < frames; ++i) mean.add(line_pixels + i * frame_bytes_);
        start(out, line, mean.brightest());
        for (std::size_t i = 0; i < frames; ++i)
            crop_frame(line_pixels + i * frame_bytes_, layer_.height, layer_.width, out.centre,
                       out.pixels.data() + i * crop_pixels);
        use(out);
        line_pixels += frames * frame_bytes_;
    }
}

void LineBatches::large_line(std::size_t line, const std::function<void(CroppedLine&)>& use) {
    MeanFrame mean(layer_.height, layer_.width);
    sweep(frames_of(line, line + 1),
          [&mean](std::uint32_t, const std::uint8_t* frame) { mean.add(frame); });
    CroppedLine out;
    start(out, line, mean.brightest());
    sweep(frames_of(line, line + 1), [&](std::uint32_t slot, const std::uint8_t* frame) {
        crop_frame(frame, layer_.height, layer_.width, out.centre,
                   out.pixels.data() + slot * crop_pixels);
    });
    use(out);
}

void LineBatches::sweep(std::vector<Wanted> wanted,
                        const std::function<void(std::uint32_t, const std::uint8_t*)>& visit) {
    std::sort(wanted.begin(), wanted.end(),
              [](const Wanted& a, const Wanted& b) { return a.position < b.position; });
    block_.resize(static_cast<std::size_t>(block_frames_) * frame_bytes_);
    for (std::size_t i = 0; i < wanted.size();) {
        const std::uint64_t block_end = (wanted[i].position / block_frames_ + 1) * block_frames_;
        std::size_t end = i;
        while (end < wanted.size() && wanted[end].position < block_end) ++end;
        const std::uint64_t first = wanted[i].position;
        file_.read_frames(layer_, first, wanted[end - 1].position - first + 1, block_.data());
        for (; i < end; ++i)
            visit(wanted[i].slot, block_.data() + (wanted[i].position - first) * frame_bytes_);
    }
}

std::vector<LineBatches::Wanted> LineBatches::frames_of(std::size_t first, std::size_t last) const {
    std::vector<Wanted> wanted;
    const std::uint64_t begin = index_.offsets[first], end = index_.offsets[last];
    wanted.reserve(end - begin);
    for (std::uint64_t i = begin; i < end; ++i)
        wanted.push_back({index_.frames[i], static_cast<std::uint32_t>(i - begin)});
    return wanted;
}

void LineBatches::start(CroppedLine& out, std::size_t line, PixelPosition centre) const {
    out.line = line;
    out.centre = centre;
    out.frames = index_.frames_of(line);
    out.pixels.resize(out.frames * crop_pixels);
}

}  // namespace edgeloop
