#pragma once

#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/link/messages.hpp"

#include <string>
#include <string_view>

namespace edgeloop::wire {

/// Gives hostile bytes to every decoder of the link. Anything but a decoded message or CorruptState
/// is a bug. First as they are, then as the payload of a sealed envelope of each type, so that the
/// checksum does not keep the payload decoders from being reached.
/// @return how many of the attempts were decoded.
inline std::size_t decode_everything(std::string_view bytes) {
    std::size_t decoded = 0;
    const auto attempt = [&](auto decoder) {
        try {
            decoder();
            ++decoded;
        } catch (const CorruptState&) {
        }
    };
    attempt([&] { (void)encode(decode(bytes, "fuzz")); });
    attempt([&] { (void)decode_result(bytes, "fuzz"); });
    attempt([&] { (void)decode_job(bytes, "fuzz"); });
    if (bytes.empty()) return decoded;
    Envelope envelope;
    envelope.type = static_cast<unsigned char>(bytes[0]) % (std::variant_size_v<Message> + 1);
    envelope.payload = bytes.substr(1);
    const std::string sealed = seal({"ELNK", protocol_version}, envelope);
    attempt([&] { (void)encode(decode(sealed, "fuzz")); });
    return decoded;
}

}  // namespace edgeloop::wire
