#include "link/payload.hpp"

namespace edgeloop::wire {
namespace {

struct Sequence {
    unsigned length;        ///< bytes in all
    std::uint32_t bits;     ///< payload bits of the first byte
    std::uint32_t minimum;  ///< smallest code point that needs this length
};

Sequence sequence_from(unsigned char lead) {
    if (lead < 0x80) return {1, lead, 0};
    if (lead >= 0xc0 && lead < 0xe0) return {2, lead & 0x1fu, 0x80};
    if (lead >= 0xe0 && lead < 0xf0) return {3, lead & 0x0fu, 0x800};
    if (lead >= 0xf0 && lead < 0xf8) return {4, lead & 0x07u, 0x10000};
    return {0, 0, 0};
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const Sequence sequence = sequence_from(static_cast<unsigned char>(text[i]));
        if (sequence.length == 0 || sequence.length > text.size() - i) return false;
        std::uint32_t point = sequence.bits;
        for (unsigned k = 1; k < sequence.length; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xc0) != 0x80) return false;
            point = (point << 6) | (next & 0x3fu);
        }
        if (point < sequence.minimum || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
            return false;
        i += sequence.length;
    }
    return true;
}

}  // namespace edgeloop::wire
