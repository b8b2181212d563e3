#pragma once

#include "link/allow_list.hpp"
#include "link/socket.hpp"

#include "edgeloop/link/rare_log.hpp"

namespace edgeloop {

/// Answers libzmq's authentication requests (ZAP, RFC 27) of one context: only listed keys enter.
/// Every message of an admitted connection carries the key as its property "User-Id".
///
/// REQUIRES: the context outlives it; constructed before the sockets it guards are bound, destroyed
/// after they are closed.
class ZapServer {
  public:
    explicit ZapServer(ZmqContext& context);

    /// Poll this one for input, then call answer().
    [[nodiscard]] zmq::socket_t& socket() { return socket_; }
    /// Answers what has arrived, at most a bounded number at a time.
    void answer(const AllowList& allowed, RareLog& log, double now);

  private:
    zmq::socket_t socket_;
};

}  // namespace edgeloop
