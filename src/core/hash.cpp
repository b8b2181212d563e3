#include "edgeloop/core/hash.hpp"

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
    if (bytes.empty()) return previous;  // zlib begins anew when there are no data
    return static_cast<std::uint32_t>(
        ::crc32_z(previous, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace edgeloop
