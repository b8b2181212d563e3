#pragma once

#include "link/socket.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace edgeloop {

/// What goes out over a ROUTER. libzmq takes few messages for each peer, because it counts them
/// and not their bytes; what a peer does not take at once waits here, in order and within bounds.
class Outbox {
  public:
    explicit Outbox(zmq::socket_t& router) : router_(router) {}

    /// @return false when the peer is gone, or does not take what it was sent.
    [[nodiscard]] bool send(const std::string& to, std::string bytes, double now);
    /// Sends what waits, as far as it is taken now. @return those who are gone, or have taken
    /// nothing for too long.
    [[nodiscard]] std::vector<std::string> retry(double now);
    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

  private:
    struct Line {
        std::deque<std::string> messages;
        std::size_t bytes = 0;
        double moved = 0;  ///< when it was empty or one was taken
    };

    bool move_on(const std::string& to, Line& line, double now);
    std::map<std::string, Line>::iterator forget(std::map<std::string, Line>::iterator line);

    zmq::socket_t& router_;
    std::map<std::string, Line> waiting_;
    std::size_t bytes_ = 0;
};

}  // namespace edgeloop
