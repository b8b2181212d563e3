#include "apps/data/png.hpp"

#include "edgeloop/core/error.hpp"

#include <array>
#include <cctype>
#include <map>

#include <fmt/format.h>
#include <png.h>

namespace edgeloop {
namespace {

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

std::string to_png(const GreyPicture& picture) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.format = PNG_FORMAT_GRAY;
    image.width = static_cast<png_uint_32>(picture.width());
    image.height = static_cast<png_uint_32>(picture.height());
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    std::string bytes(size, '\0');
    if (png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.pixels().data(), 0,
                                  nullptr) == 0)
        throw IoError(fmt::format("libpng cannot write the picture: {}", image.message));
    bytes.resize(size);
    return bytes;
}

}  // namespace edgeloop
