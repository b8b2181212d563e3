#include "link/zap.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t key_bytes = 32, key_text_bytes = 40;
constexpr int requests_per_round = 64;

std::string key_text(const zmq::message_t& raw) {
    if (raw.size() != key_bytes) return {};
    std::array<char, key_text_bytes + 1> text{};
    zmq_z85_encode(text.data(), static_cast<const std::uint8_t*>(raw.data()), key_bytes);
    return text.data();
}

/// The parts of the next request: version, request id, domain, address, identity, mechanism,
/// credentials. Empty when there is none.
std::vector<zmq::message_t> next_request(zmq::socket_t& socket) {
    std::vector<zmq::message_t> frames(1);
    if (!receive_now(socket, frames.back())) return {};
    while (frames.back().more()) {
        frames.emplace_back();
        if (!receive_now(socket, frames.back())) break;  // libzmq delivers all parts or none
    }
    return frames;
}

}  // namespace

void answer_zap(zmq::socket_t& socket, const AllowList& allow_list, RareLog& log, double now) {
    for (int i = 0; i < requests_per_round; ++i) {
        const std::vector<zmq::message_t> frames = next_request(socket);
        if (frames.empty()) return;
        const std::string mechanism = frames.size() > 5 ? frames[5].to_string() : "";
        const std::string key = frames.size() > 6 ? key_text(frames[6]) : "";
        const bool allowed = mechanism == "CURVE" && allow_list.contains(key);
        if (!allowed)
            log.warning("key",
                        fmt::format("connection from {} refused: key '{}' is not on the "
                                    "allow-list",
                                    frames.size() > 3 ? frames[3].to_string() : "?", key),
                        now);
        const std::string request = frames.size() > 1 ? frames[1].to_string() : "";
        const std::array<std::string, 6> reply = {
            "1.0", request, allowed ? "200" : "400", allowed ? "OK" : "not on the allow-list",
            key,   ""};
        for (std::size_t part = 0; part < reply.size(); ++part)
            if (!send_now(socket, reply[part], part + 1 < reply.size())) return;
    }
}

}  // namespace edgeloop
