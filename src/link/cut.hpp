#pragma once

#include <cstddef>
#include <string>

namespace edgeloop {

/// `text` (UTF-8) without what is beyond so many bytes, cut between two letters.
[[nodiscard]] inline std::string cut_at_letter(std::string text, std::size_t bytes) {
    if (text.size() <= bytes) return text;
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0U) == 0x80) --bytes;
    text.resize(bytes);
    return text;
}

}  // namespace edgeloop
