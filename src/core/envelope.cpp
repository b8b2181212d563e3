#include "edgeloop/core/envelope.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/little_endian.hpp"

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t version_at = 4, type_at = 6, request_at = 8, length_at = 16, crc_at = 24;

}  // namespace

std::string seal(const EnvelopeFormat& format, const Envelope& envelope) {
    std::string bytes;
    bytes.reserve(envelope_header_bytes + envelope.payload.size());
    bytes.append(format.magic, 4);
    put_little_endian<std::uint16_t>(bytes, format.version);
    put_little_endian<std::uint16_t>(bytes, envelope.type);
    put_little_endian<std::uint64_t>(bytes, envelope.request_id);
    put_little_endian<std::uint64_t>(bytes, envelope.payload.size());
    put_little_endian<std::uint32_t>(bytes, crc32(envelope.payload, crc32(bytes)));
    return bytes + envelope.payload;
}

int envelope_version(const EnvelopeFormat& format, std::string_view bytes) {
    if (bytes.size() < envelope_header_bytes ||
        bytes.substr(0, 4) != std::string_view(format.magic, 4))
        return -1;
    return get_little_endian<std::uint16_t>(bytes, version_at);
}

Envelope open_envelope(const EnvelopeFormat& format, std::string_view bytes,
                       const std::string& where) {
    if (bytes.size() < envelope_header_bytes)
        throw CorruptState(fmt::format("{}: only {} bytes", where, bytes.size()),
                           "shorter than a header");
    const int version = envelope_version(format, bytes);
    if (version < 0)
        throw CorruptState(fmt::format("{}: not an edgeloop '{}' record", where, format.magic));
    if (version != format.version)
        throw CorruptState(fmt::format("{}: format version {}", where, version),
                           fmt::format("this program reads version {}", format.version),
                           "use the edgeloop release that wrote it");
    const auto length = get_little_endian<std::uint64_t>(bytes, length_at);
    if (length != bytes.size() - envelope_header_bytes)
        throw CorruptState(
            fmt::format("{}: {} bytes of payload", where, bytes.size() - envelope_header_bytes),
            fmt::format("its header promises {}", length));
    const std::string_view payload = bytes.substr(envelope_header_bytes);
    if (crc32(payload, crc32(bytes.substr(0, crc_at))) !=
        get_little_endian<std::uint32_t>(bytes, crc_at))
        throw CorruptState(fmt::format("{}: checksum does not match", where));
    return {get_little_endian<std::uint16_t>(bytes, type_at),
            get_little_endian<std::uint64_t>(bytes, request_at), std::string(payload)};
}

}  // namespace edgeloop
