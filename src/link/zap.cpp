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
                     const std::vector<AllowedKey>& allowed_keys)
    : context_(std::move(context)), socket_(context_->context, zmq::socket_type::rep) {
    for (const AllowedKey& allowed : allowed_keys) {
        const auto [known, is_new] = allowed_.emplace(allowed.key, allowed.role);
        if (!is_new && known->second != allowed.role) known->second = AllowedKey::Role::any;
    }
    socket_.set(zmq::sockopt::linger, 0);
    socket_.bind("inproc://zeromq.zap.01");
    thread_ = std::thread([this] { run(); });
}

ZapServer::~ZapServer() {
    stop_.wake();
    thread_.join();
}

std::string ZapServer::refusal(const std::string& key, wire::Role role) const {
    const auto found = allowed_.find(key);
    const auto listed = found == allowed_.end() ? AllowedKey::Role::any : found->second;
    if (listed == AllowedKey::Role::search && role == wire::Role::agent)
        return "this key is listed for a search, not for a device";
    if (listed == AllowedKey::Role::device && role == wire::Role::client)
        return "this key is listed for a device, not for a search";
    return {};
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
