#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace edgeloop {

/// 128-bit digest of bytes (XXH3). For identity and caching, not for security.
struct Digest {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    /// 32 lower-case hexadecimal digits.
    [[nodiscard]] std::string hex() const;
    friend bool operator==(const Digest& a, const Digest& b) {
        return a.high == b.high && a.low == b.low;
    }
    friend bool operator!=(const Digest& a, const Digest& b) { return !(a == b); }
    friend bool operator<(const Digest& a, const Digest& b) {
        return a.high != b.high ? a.high < b.high : a.low < b.low;
    }
};

[[nodiscard]] Digest digest(std::string_view bytes);

/// CRC-32 (ISO-HDLC, as in zlib and PNG). Continue over several pieces by passing the result back
/// in.
[[nodiscard]] std::uint32_t crc32(std::string_view bytes, std::uint32_t previous = 0);

}  // namespace edgeloop
