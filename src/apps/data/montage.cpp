#include "apps/data/montage.hpp"

#include "apps/data/inspect.hpp"
#include "apps/data/png.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/data/preprocessing.hpp"

#include <algorithm>
#include <array>
#include <cmath>

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

void MontageSelection::offer(const Recording& file, const LayerInfo& layer, const LineIndex& index,
                             const std::vector<double>& labels) {
    if (labels.empty()) return;
    targets_ = file.targets();
    layers_.push_back({file.path(), layer});
    for (std::size_t line = 0; line < index.lines(); ++line) {
        const double* values = labels.data() + line * targets_.size();
        if (index.frames_of(line) > 0 && file.are_usable(values))
            candidates_.push_back({layers_.size() - 1,
                                   line,
                                   index.frames_of(line),
                                   {values, values + targets_.size()}});
    }
}

std::array<double, grid> MontageSelection::marks(std::size_t target) const {
    if (target >= targets_.size()) return {};
    std::vector<double> values;
    for (const Candidate& candidate : candidates_) values.push_back(candidate.labels[target]);
    const Distribution all = distribution_of(std::move(values));
    return {all.p10, all.median, all.p90};
}

const MontageSelection::Candidate& MontageSelection::nearest(
    const std::array<double, 2>& wanted) const {
    const Candidate* best = nullptr;
    double least = 0;
    for (const Candidate& candidate : candidates_) {
        double distance = candidate.frames < frames_wanted ? 100 : 0;
        for (std::size_t i = 0; i < std::min(wanted.size(), targets_.size()); ++i)
            distance += std::pow((candidate.labels[i] - wanted[i]) / targets_[i].scale, 2);
        if (best == nullptr || distance < least) {
            best = &candidate;
            least = distance;
        }
    }
    return *best;
}

CroppedLine MontageSelection::read(const Candidate& candidate) const {
    const Layer& layer = layers_[candidate.layer];
    const auto file = open_recording(layer.path);
    CroppedLine result;
    file->for_each_line(layer.info, file->line_index(layer.info), candidate.line,
                        candidate.line + 1,
                        [&result](CroppedLine& line) { result = std::move(line); });
    return result;
}

void MontageSelection::write(const std::string& png_path) const {
    if (candidates_.empty())
        throw ConfigError("there is no labelled line with frames to draw", {},
                          "leave --montage out");
    const auto to_the_right = marks(0), downwards = marks(1);
    GreyPicture picture(grid * cell_height + gap, grid * cell_width + gap, background);
    for (int row = 0; row < grid; ++row)
        for (int column = 0; column < grid; ++column) {
            const Candidate& candidate =
                nearest({to_the_right[std::size_t(column)], downwards[std::size_t(row)]});
            const LayerGroup& group = layers_[candidate.layer].info.group;
            std::string label;
            for (std::size_t i = 0; i < targets_.size(); ++i)
                label += fmt::format("{:.0f} {} ", candidate.labels[i], targets_[i].unit);
            draw_line(picture, read(candidate),
                      fmt::format("{} {}/{}/{}", label, group.object, group.layer, candidate.line),
                      gap + row * cell_height, 2 * gap + column * cell_width);
        }
    write_file_atomic(png_path, to_png(picture));
}

}  // namespace edgeloop
