#pragma once

#include "edgeloop/link/limits.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// The connections that a socket has accepted: ends those that send what never becomes a message,
/// those that say nothing, and those of a key that has too many.
///
/// libzmq bounds each frame, and how many whole messages wait, but keeps the frames of a message
/// that has no end yet, however many they are. It says which descriptor a connection and a message
/// belong to, and the kernel how much that connection has sent; so what is on the way since its
/// last whole message is known. A connection is ended by shutdown(2): libzmq drops what it holds of
/// it and closes it. The kernel knows this of TCP only; sockets of the file system have no bound of
/// their own.
class Connections {
  public:
    struct Limits {
        /// Sent since the last whole message, by one and by all.
        std::uint64_t unfinished_bytes = limits::unfinished_bytes;
        std::uint64_t all_unfinished_bytes = limits::all_unfinished_bytes;
        double silent_s = 60;  ///< without a whole message
        std::size_t of_a_key = 256;
    };
    explicit Connections(const Limits& limits) : limits_(limits) {}

    void accepted(int descriptor, double now);
    void closed(int descriptor) { connections_.erase(descriptor); }
    /// A whole message came over it. @param key  empty: it showed none.
    void spoke(int descriptor, const std::string& key, double now);
    /// Looks at all of them; call it often, and after reading all messages that are there: it
    /// looks no more often than takes a tenth of the time. @return why connections were ended.
    [[nodiscard]] std::vector<std::string> look(double now);
    /// Something large is on the way: look again in no more than 10 ms.
    [[nodiscard]] bool is_watchful() const { return watchful_; }

    /// What tells this connection from a later one of the same descriptor; 0: it is not there.
    [[nodiscard]] std::uint64_t token(int descriptor) const;
    /// Ends it, if it is still the one of this token.
    void end(int descriptor, std::uint64_t token);
    void end_all();
    [[nodiscard]] std::size_t count() const { return connections_.size(); }
    /// Which keys have how many, for a line of the log: "KEY (3), KEY (1)".
    [[nodiscard]] std::string keys() const;

  private:
    struct Connection {
        std::uint64_t cookie = 0;  ///< the kernel's name of the socket, never used again
        double heard = 0;
        bool spoke = false;    ///< since the last look
        bool suspect = false;  ///< over its limit at the last look
        bool ended = false;
        std::uint64_t at_last_message = 0, unfinished = 0;  ///< bytes
        std::string key;
    };

    bool measure(int descriptor, Connection& connection, double now);
    void end_largest(std::uint64_t& unfinished, std::vector<std::string>& reasons);
    static void shut(int descriptor, Connection& connection);

    Limits limits_;
    std::map<int, Connection> connections_;  ///< by descriptor
    std::vector<std::string> over_;          ///< of a key, ended since the last look
    double next_look_ = 0;
    bool watchful_ = false;
};

}  // namespace edgeloop
