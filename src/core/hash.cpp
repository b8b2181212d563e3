#include "edgeloop/core/hash.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <xxhash.h>
#include <zlib.h>

namespace edgeloop {

std::string Digest::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Digest digest(std::string_view bytes) {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return {hash.high64, hash.low64};
}

std::uint32_t crc32(std::string_view bytes, std::uint32_t previous) {
    uLong value = previous;
    while (!bytes.empty()) {
        const std::size_t piece = std::min<std::size_t>(bytes.size(), 1u << 30);
        value =
            ::crc32(value, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(piece));
        bytes.remove_prefix(piece);
    }
    return static_cast<std::uint32_t>(value);
}

}  // namespace edgeloop
