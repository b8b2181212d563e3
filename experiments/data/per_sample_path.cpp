#include "per_sample_path.hpp"

#include "data/hdf5.hpp"

#include "edgeloop/data/window.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>

namespace edgeloop {
namespace {

/// One output pixel of a bilinear resize, half-pixel centres.
float sample(const std::vector<float>& image, int side, float row, float column) {
    const float y = std::max(row, 0.0F), x = std::max(column, 0.0F);
    const int top = int(y), left = int(x);
    const int bottom = std::min(top + 1, side - 1), right = std::min(left + 1, side - 1);
    const float down = y - float(top), across = x - float(left);
    const auto at = [&](int r, int c) { return image[std::size_t(r * side + c)]; };
    return (1 - down) * ((1 - across) * at(top, left) + across * at(top, right)) +
           down * ((1 - across) * at(bottom, left) + across * at(bottom, right));
}

void resize(const std::vector<float>& image, int side, int to, float* out) {
    const float scale = float(side) / float(to);
    for (int row = 0; row < to; ++row)
        for (int column = 0; column < to; ++column)
            *out++ = sample(image, side, (float(row) + 0.5F) * scale - 0.5F,
                            (float(column) + 0.5F) * scale - 0.5F);
}

}  // namespace

std::vector<double> PerSamplePath::load(const Line& line, float* clip) const {
    const hdf5::Handle file = hdf5::open_for_reading(line.path);
    const hdf5::Dataset index =
        hdf5::open_dataset(file.get(), {line.path, line.group + "/scan_line_index"});
    std::vector<std::int64_t> numbers(index.shape[0]);
    hdf5::read_rows(index, 0, index.shape[0], H5T_NATIVE_INT64, numbers.data());
    const auto range = std::equal_range(numbers.begin(), numbers.end(), line.number);
    const auto first = std::size_t(range.first - numbers.begin());
    const auto count = std::size_t(range.second - range.first);

    const hdf5::Dataset frames = hdf5::open_dataset(file.get(), {line.path, line.group + "/frame"});
    const int height = int(frames.shape[1]), width = int(frames.shape[2]);
    const std::size_t frame_bytes = std::size_t(height) * std::size_t(width);
    std::vector<std::uint8_t> pixels(count * frame_bytes);
    hdf5::read_rows(frames, first, count, H5T_NATIVE_UINT8, pixels.data());
    const hdf5::Dataset labels =
        hdf5::open_dataset(file.get(), {line.path, line.group + "/laser_params"});
    std::vector<double> targets(labels.shape.at(1));
    hdf5::read_rows(labels, std::uint64_t(line.number), 1, H5T_NATIVE_DOUBLE, targets.data());

    MeanFrame mean(height, width);
    for (std::size_t i = 0; i < count; ++i) mean.add(pixels.data() + i * frame_bytes);
    const PixelPosition centre = mean.brightest();
    const WindowRule rule = WindowRule::published(frames_, 1);
    const std::size_t start = rule.start(count, rule.middle_place(count));
    std::vector<std::uint8_t> crop(crop_pixels);
    std::vector<float> normalised(crop_pixels);
    const Normalisation published;
    for (std::size_t i = 0; i < std::size_t(frames_); ++i) {
        std::fill(crop.begin(), crop.end(), std::uint8_t(0));
        if (start + i < count)
            crop_frame(pixels.data() + (start + i) * frame_bytes, height, width, centre,
                       crop.data());
        for (std::size_t p = 0; p < crop_pixels; ++p)
            normalised[p] = float((crop[p] / 255.0 - published.mean) / published.deviation);
        resize(normalised, crop_side, side_, clip + i * std::size_t(side_) * std::size_t(side_));
    }
    return targets;
}

std::vector<PerSamplePath::Line> all_lines(const std::vector<std::string>& paths) {
    std::vector<PerSamplePath::Line> lines;
    for (const std::string& path : paths) {
        const auto file = open_recording(path);
        for (const LayerInfo& layer : file->layers()) {
            const LineIndex index = file->line_index(layer);
            for (std::size_t i = 0; i < index.lines(); ++i)
                if (index.frames_of(i) > 0)
                    lines.push_back({path, layer.group.path, index.numbers[i]});
        }
    }
    return lines;
}

}  // namespace edgeloop
