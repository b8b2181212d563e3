#pragma once

#include "link/socket.hpp"

#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/messages.hpp"

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace edgeloop {

/// Answers libzmq's authentication requests (ZAP, RFC 27) of one context: only listed keys enter.
/// Every message of an admitted connection carries the key as its property "User-Id".
///
/// REQUIRES: constructed before the sockets it guards are bound, destroyed after they are closed.
class ZapServer {
  public:
    ZapServer(std::shared_ptr<ZmqContext> context, const std::vector<AllowedKey>& allowed_keys);
    ~ZapServer();
    ZapServer(const ZapServer&) = delete;
    ZapServer& operator=(const ZapServer&) = delete;

    /// Why this key may not open a session of this role; empty: it may. An admitted key only.
    [[nodiscard]] std::string refusal(const std::string& key, wire::Role role) const;

  private:
    void run();
    void answer();

    std::shared_ptr<ZmqContext> context_;
    std::map<std::string, AllowedKey::Role> allowed_;
    zmq::socket_t socket_;
    Waker stop_;
    std::string last_refused_;
    std::thread thread_;
};

}  // namespace edgeloop
