#include "apps/data/montage.hpp"

#include "apps/data/inspect.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <png.h>

namespace edgeloop {
namespace {

constexpr int grid = 3;          // lines along each axis
constexpr int shown_frames = 4;  // shown of each line
constexpr int scale = 2;
constexpr int gap = 4, label_height = 16;
constexpr int frame_width = crop_side * scale + gap;
constexpr int cell_width = shown_frames * frame_width + 3 * gap;
constexpr int cell_height = crop_side * scale + label_height + 2 * gap;
constexpr std::uint8_t background = 40, ink = 230;

constexpr int glyph_height = 5, glyph_width = 3, glyph_scale = 2, advance = 8;

/// Five rows of three pixels each, top to bottom, as octal digits: 4 is the left pixel.
using Glyph = std::array<std::uint8_t, glyph_height>;

const std::map<char, Glyph>& glyphs() {
    static const std::map<char, Glyph> table = {
        {'0', {7, 5, 5, 5, 7}}, {'1', {2, 6, 2, 2, 7}}, {'2', {7, 1, 7, 4, 7}},
        {'3', {7, 1, 7, 1, 7}}, {'4', {5, 5, 7, 1, 1}}, {'5', {7, 4, 7, 1, 7}},
        {'6', {7, 4, 7, 5, 7}}, {'7', {7, 1, 2, 2, 2}}, {'8', {7, 5, 7, 5, 7}},
        {'9', {7, 5, 7, 1, 7}}, {'A', {2, 5, 7, 5, 5}}, {'B', {6, 5, 6, 5, 6}},
        {'C', {3, 4, 4, 4, 3}}, {'D', {6, 5, 5, 5, 6}}, {'E', {7, 4, 6, 4, 7}},
        {'F', {7, 4, 6, 4, 4}}, {'G', {3, 4, 5, 5, 3}}, {'H', {5, 5, 7, 5, 5}},
        {'I', {7, 2, 2, 2, 7}}, {'J', {1, 1, 1, 5, 2}}, {'K', {5, 5, 6, 5, 5}},
        {'L', {4, 4, 4, 4, 7}}, {'M', {5, 7, 7, 5, 5}}, {'N', {6, 5, 5, 5, 5}},
        {'O', {2, 5, 5, 5, 2}}, {'P', {6, 5, 6, 4, 4}}, {'Q', {2, 5, 5, 7, 3}},
        {'R', {6, 5, 6, 5, 5}}, {'S', {3, 4, 2, 1, 6}}, {'T', {7, 2, 2, 2, 2}},
        {'U', {5, 5, 5, 5, 7}}, {'V', {5, 5, 5, 5, 2}}, {'W', {5, 5, 7, 7, 5}},
        {'X', {5, 5, 2, 5, 5}}, {'Y', {5, 5, 2, 2, 2}}, {'Z', {7, 1, 2, 4, 7}},
        {'/', {1, 1, 2, 4, 4}}, {'-', {0, 0, 7, 0, 0}}, {'.', {0, 0, 0, 0, 2}},
        {'_', {0, 0, 0, 0, 7}}, {':', {0, 2, 0, 2, 0}}, {'?', {7, 1, 2, 0, 2}}};
    return table;
}

/// Below this a line has little to show and is taken only when nothing else is there.
constexpr std::size_t frames_wanted = 8;

void draw_line(GreyPicture& picture, const CroppedLine& line, const std::string& label, int row,
               int column) {
    picture.write(label, row, column, ink);
    for (int i = 0; i < shown_frames; ++i) {
        const std::size_t frame = line.frames * std::size_t(i + 1) / (shown_frames + 1);
        picture.paste(line.pixels.data() + frame * crop_pixels, crop_side, crop_side,
                      row + label_height, column + i * frame_width, scale);
    }
}

}  // namespace

GreyPicture::GreyPicture(int height, int width, std::uint8_t background)
    : height_(height),
      width_(width),
      pixels_(static_cast<std::size_t>(height) * static_cast<std::size_t>(width), background) {}

void GreyPicture::set(int row, int column, std::uint8_t grey) {
    if (row < 0 || row >= height_ || column < 0 || column >= width_) return;
    pixels_[std::size_t(row) * std::size_t(width_) + std::size_t(column)] = grey;
}

void GreyPicture::paste(const std::uint8_t* image, int height, int width, int row, int column,
                        int scale) {
    for (int y = 0; y < height * scale; ++y)
        for (int x = 0; x < width * scale; ++x)
            set(row + y, column + x, image[y / scale * width + x / scale]);
}

void GreyPicture::write(const std::string& text, int row, int column, std::uint8_t grey) {
    for (const char character : text) {
        const auto glyph =
            glyphs().find(static_cast<char>(std::toupper(static_cast<unsigned char>(character))));
        if (glyph != glyphs().end())
            for (int y = 0; y < glyph_height * glyph_scale; ++y)
                for (int x = 0; x < glyph_width * glyph_scale; ++x)
                    if ((glyph->second[std::size_t(y / glyph_scale)] >>
                         (glyph_width - 1 - x / glyph_scale)) &
                        1)
                        set(row + y, column + x, grey);
        column += advance;
    }
}

std::string GreyPicture::png() const {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.format = PNG_FORMAT_GRAY;
    image.width = static_cast<png_uint_32>(width_);
    image.height = static_cast<png_uint_32>(height_);
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    std::string bytes(size, '\0');
    if (png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels_.data(), 0, nullptr) == 0)
        throw IoError(fmt::format("libpng cannot write the picture: {}", image.message));
    bytes.resize(size);
    return bytes;
}

void MontageSelection::offer(const Recording& file, const LayerInfo& layer, const LineIndex& index,
                             const std::vector<double>& labels) {
    if (labels.empty()) return;
    targets_ = file.targets();
    layers_.push_back({file.path(), file.external(), layer});
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
    const auto file = open_recording(layer.path, layer.external);
    CroppedLine result;
    file->for_each_line(layer.info, file->line_index(layer.info), candidate.line,
                        candidate.line + 1, Crop::causal,
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
    write_file_atomic(png_path, picture.png());
}

}  // namespace edgeloop
