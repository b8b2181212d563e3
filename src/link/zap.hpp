#pragma once

#include "link/socket.hpp"

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace edgeloop {

/// Answers libzmq's authentication requests (ZAP, RFC 27) of one context: only listed keys enter.
///
/// REQUIRES: constructed before the sockets it guards are bound, destroyed after they are closed.
class ZapServer {
  public:
    ZapServer(std::shared_ptr<ZmqContext> context, const std::vector<std::string>& allowed_keys);
    ~ZapServer();
    ZapServer(const ZapServer&) = delete;
    ZapServer& operator=(const ZapServer&) = delete;

  private:
    void run();
    void answer();

    std::shared_ptr<ZmqContext> context_;
    std::set<std::string> allowed_;
    zmq::socket_t socket_;
    Waker stop_;
    std::string last_refused_;
    std::thread thread_;
};

}  // namespace edgeloop
