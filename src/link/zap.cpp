#include "link/zap.hpp"

#include "edgeloop/core/log.hpp"

#include <array>

namespace edgeloop {
namespace {

constexpr std::size_t key_bytes = 32, key_text_bytes = 40;

std::string key_text(const zmq::message_t& raw) {
    if (raw.size() != key_bytes) return {};
    std::array<char, key_text_bytes + 1> text{};
    zmq_z85_encode(text.data(), static_cast<const std::uint8_t*>(raw.data()), key_bytes);
    return text.data();
}

}  // namespace

ZapServer::ZapServer(std::shared_ptr<ZmqContext> context,
                     const std::vector<std::string>& allowed_keys)
    : context_(std::move(context)),
      allowed_(allowed_keys.begin(), allowed_keys.end()),
      socket_(context_->context, zmq::socket_type::rep) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.bind("inproc://zeromq.zap.01");
    thread_ = std::thread([this] { run(); });
}

ZapServer::~ZapServer() {
    stop_.wake();
    thread_.join();
}

void ZapServer::run() {
    try {
        while (true) {
            zmq::pollitem_t items[] = {{socket_.handle(), 0, ZMQ_POLLIN, 0},
                                       {nullptr, stop_.descriptor(), ZMQ_POLLIN, 0}};
            zmq_poll(items, 2, -1);
            if ((items[1].revents & ZMQ_POLLIN) != 0) return;
            if ((items[0].revents & ZMQ_POLLIN) != 0) answer();
        }
    } catch (const zmq::error_t& error) {
        log::error("the key check stopped: {}", error.what());
    }
}

void ZapServer::answer() {
    // Request: version, request id, domain, address, identity, mechanism, credentials.
    std::vector<zmq::message_t> frames;
    do {
        frames.emplace_back();
        if (!socket_.recv(frames.back())) return;
    } while (frames.back().more());
    const std::string mechanism = frames.size() > 5 ? frames[5].to_string() : "";
    const std::string key = frames.size() > 6 ? key_text(frames[6]) : "";
    const bool allowed = mechanism == "CURVE" && allowed_.count(key) != 0;
    if (!allowed && last_refused_ != key) {
        last_refused_ = key;
        log::warning("connection from {} refused: key '{}' is not on the allow-list",
                     frames.size() > 3 ? frames[3].to_string() : "?", key);
    }
    const std::string request = frames.size() > 1 ? frames[1].to_string() : "";
    const std::array<std::string, 6> reply = {
        "1.0", request, allowed ? "200" : "400", allowed ? "OK" : "not on the allow-list", key, ""};
    for (std::size_t i = 0; i < reply.size(); ++i)
        socket_.send(zmq::buffer(reply[i]),
                     i + 1 < reply.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

}  // namespace edgeloop
