#include "data/png.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"

#include <array>
#include <cctype>
#include <map>
#include <string_view>

#include <zlib.h>

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

void append_big_endian(std::string& bytes, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
}

/// Length, type, data and the CRC of type and data.
void append_chunk(std::string& bytes, const std::string& type, const std::string& data) {
    append_big_endian(bytes, static_cast<std::uint32_t>(data.size()));
    bytes += type + data;
    append_big_endian(bytes, crc32(type + data));
}

std::string compressed(const std::string& bytes) {
    uLongf size = compressBound(bytes.size());
    std::string result(size, '\0');
    const int status = compress2(reinterpret_cast<Bytef*>(result.data()), &size,
                                 reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), 9);
    EDGELOOP_EXPECT(status == Z_OK, "compression into a large enough buffer failed");
    result.resize(size);
    return result;
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
    std::string header;
    append_big_endian(header, static_cast<std::uint32_t>(picture.width()));
    append_big_endian(header, static_cast<std::uint32_t>(picture.height()));
    header += std::string("\x08\x00\x00\x00\x00", 5);  // 8 bits, grey, deflate, no filter set
    std::string rows;
    const char* pixels = reinterpret_cast<const char*>(picture.pixels().data());
    for (int row = 0; row < picture.height(); ++row) {
        rows += '\0';  // this row is not filtered
        rows.append(pixels + std::ptrdiff_t(row) * picture.width(),
                    static_cast<std::size_t>(picture.width()));
    }
    std::string bytes = "\x89PNG\r\n\x1a\n";
    append_chunk(bytes, "IHDR", header);
    append_chunk(bytes, "IDAT", compressed(rows));
    append_chunk(bytes, "IEND", {});
    return bytes;
}

}  // namespace edgeloop
