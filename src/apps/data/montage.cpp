#include "apps/data/montage.hpp"

#include "apps/data/inspect.hpp"
#include "apps/data/png.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/data/preprocessing.hpp"

#include <array>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr int grid = 3;            // lines along each axis
constexpr int frames_of_line = 4;  // shown of each line
constexpr int scale = 2;
constexpr int gap = 4, label_height = 16;
constexpr int frame_width = crop_side * scale + gap;
constexpr int cell_width = frames_of_line * frame_width + 3 * gap;
constexpr int cell_height = crop_side * scale + label_height + 2 * gap;
constexpr std::uint8_t background = 40, ink = 230;

/// Below this a line has little to show and is taken only when nothing else is there.
constexpr std::size_t frames_wanted = 8;

std::array<double, grid> low_middle_high(std::vector<double> values) {
    const Distribution all = distribution_of(std::move(values));
    return {all.p10, all.median, all.p90};
}

void draw_line(GreyPicture& picture, const CroppedLine& line, const std::string& label, int row,
               int column) {
    picture.write(label, row, column, ink);
    for (int i = 0; i < frames_of_line; ++i) {
        const std::size_t frame = line.frames * std::size_t(i + 1) / (frames_of_line + 1);
        picture.paste(line.pixels.data() + frame * crop_pixels, crop_side, crop_side,
                      row + label_height, column + i * frame_width, scale);
    }
}

}  // namespace

void MontageSelection::offer(const std::string& path, const LayerInfo& layer,
                             const LineIndex& index, const std::vector<LaserParameters>& labels) {
    if (labels.empty()) return;
    layers_.push_back({path, layer});
    for (std::size_t line = 0; line < index.lines(); ++line)
        if (index.frames_of(line) > 0 && is_usable(labels[line]))
            candidates_.push_back({layers_.size() - 1, line, index.frames_of(line), labels[line]});
}

const MontageSelection::Candidate& MontageSelection::nearest(const LaserParameters& wanted) const {
    const Candidate* best = nullptr;
    double least = 0;
    for (const Candidate& candidate : candidates_) {
        const double speed = (candidate.laser.speed_mm_s - wanted.speed_mm_s) / speed_scale_mm_s;
        const double power = (candidate.laser.power_w - wanted.power_w) / power_scale_w;
        const double distance =
            speed * speed + power * power + (candidate.frames < frames_wanted ? 100 : 0);
        if (best == nullptr || distance < least) {
            best = &candidate;
            least = distance;
        }
    }
    return *best;
}

CroppedLine MontageSelection::read(const Candidate& candidate) const {
    const Layer& layer = layers_[candidate.layer];
    const RaiseFile file(layer.path);
    CroppedLine result;
    file.for_each_line(layer.info, file.line_index(layer.info), candidate.line, candidate.line + 1,
                       [&result](CroppedLine& line) { result = std::move(line); });
    return result;
}

void MontageSelection::write(const std::string& png_path) const {
    if (candidates_.empty())
        throw ConfigError("there is no labelled line with frames to draw", {},
                          "leave --montage out");
    std::vector<double> speeds, powers;
    for (const Candidate& candidate : candidates_) {
        speeds.push_back(candidate.laser.speed_mm_s);
        powers.push_back(candidate.laser.power_w);
    }
    const auto speed_marks = low_middle_high(std::move(speeds));
    const auto power_marks = low_middle_high(std::move(powers));
    GreyPicture picture(grid * cell_height + gap, grid * cell_width + gap, background);
    for (int row = 0; row < grid; ++row)
        for (int column = 0; column < grid; ++column) {
            const Candidate& candidate =
                nearest({speed_marks[std::size_t(column)], power_marks[std::size_t(row)]});
            const LayerGroup& group = layers_[candidate.layer].info.group;
            draw_line(
                picture, read(candidate),
                fmt::format("{:.0f} mm/s {:.0f} W  {}/{}/{}", candidate.laser.speed_mm_s,
                            candidate.laser.power_w, group.object, group.layer, candidate.line),
                gap + row * cell_height, 2 * gap + column * cell_width);
        }
    write_file_atomic(png_path, to_png(picture));
}

}  // namespace edgeloop
