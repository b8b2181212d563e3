#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace edgeloop {

/// What an envelope holds: four magic characters and the version of the payload's format.
struct EnvelopeFormat {
    char magic[5];  ///< four characters and a terminating zero
    std::uint16_t version;
};

/// One framed message or file: header with type, request id, length and CRC-32, then the payload.
struct Envelope {
    std::uint16_t type = 0;
    std::uint64_t request_id = 0;
    std::string payload;
};

/// Size of the header that precedes every payload.
constexpr std::size_t envelope_header_bytes = 28;

/// Header (little endian): magic[4], version u16, type u16, request id u64, payload length u64,
/// CRC-32 u32 of everything before it and of the payload. Then the payload.
[[nodiscard]] std::string seal(const EnvelopeFormat& format, const Envelope& envelope);

/// Checks and unpacks. Nothing is allocated before the length has been checked against the bytes at
/// hand.
///
/// @param where  named in errors: the file or the peer.
/// @throws CorruptState  short, wrong magic, unknown version (both are named), wrong length or CRC.
[[nodiscard]] Envelope open_envelope(const EnvelopeFormat& format, std::string_view bytes,
                                     const std::string& where);

/// Version field of an envelope with the right magic, or -1: lets a reader choose a migration
/// before opening.
[[nodiscard]] int envelope_version(const EnvelopeFormat& format, std::string_view bytes);

}  // namespace edgeloop
