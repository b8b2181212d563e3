#include "link/connections.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace edgeloop {
namespace {

constexpr double shortest_pause_s = 0.01;
constexpr double share_of_time = 0.1;  ///< that looking may take
constexpr std::size_t max_keys_named = 16;

/// Which socket has this descriptor; 0: none.
std::uint64_t cookie_of(int descriptor) {
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    const int done = ::getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size);
    return done == 0 && size == sizeof cookie ? cookie : 0;
}

/// Bytes that were read from a TCP connection; nothing: the kernel does not know.
std::optional<std::uint64_t> bytes_read(int descriptor) {
    tcp_info info{};
    socklen_t size = sizeof info;
    constexpr std::size_t needed =
        offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size < needed)
        return std::nullopt;
    int unread = 0;  // asked second: what comes in between is not taken for read
    if (::ioctl(descriptor, SIOCINQ, &unread) != 0) return std::nullopt;
    const std::uint64_t received = info.tcpi_bytes_received;
    return received - std::min<std::uint64_t>(received, static_cast<std::uint64_t>(unread));
}

std::string named(const std::string& key) {
    return key.empty() ? "a connection" : fmt::format("a connection of key {}", key);
}

}  // namespace

void Connections::accepted(int descriptor, double now) {
    Connection connection;
    connection.cookie = cookie_of(descriptor);
    connection.heard = now;
    if (connection.cookie != 0) connections_[descriptor] = connection;
}

void Connections::spoke(int descriptor, const std::string& key, double now) {
    const auto found = connections_.find(descriptor);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    connection.spoke = true;
    connection.heard = now;
    if (key.empty() || connection.key == key) return;
    connection.key = key;
    const auto its = std::count_if(connections_.begin(), connections_.end(), [&](const auto& each) {
        return each.second.key == key && !each.second.ended;
    });
    if (static_cast<std::size_t>(its) <= limits_.of_a_key) return;
    shut(descriptor, connection);
    over_.push_back(fmt::format("{} is ended: it has {} already", named(key), limits_.of_a_key));
}

/// @return whether it is still there.
bool Connections::measure(int descriptor, Connection& connection, double now) {
    if (cookie_of(descriptor) != connection.cookie) return false;
    const std::uint64_t read = bytes_read(descriptor).value_or(0);
    if (connection.spoke) connection.at_last_message = read;
    connection.unfinished = read - std::min(read, connection.at_last_message);
    // Once may be chance: a message is complete and we have not been told.
    const bool over = !connection.spoke && connection.unfinished > limits_.unfinished_bytes;
    connection.spoke = false;
    if (connection.ended) return true;
    if (connection.unfinished > limits_.unfinished_bytes / 4) watchful_ = true;
    const bool is_suspect = std::exchange(connection.suspect, over);
    const bool is_silent = now - connection.heard > limits_.silent_s;
    if ((over && is_suspect) || is_silent) shut(descriptor, connection);
    return true;
}

/// Of many that are each within their limit.
void Connections::end_largest(std::uint64_t& unfinished, std::vector<std::string>& reasons) {
    while (unfinished > limits_.all_unfinished_bytes) {
        const auto largest = std::max_element(
            connections_.begin(), connections_.end(), [](const auto& a, const auto& b) {
                return (a.second.ended ? 0 : a.second.unfinished) <
                       (b.second.ended ? 0 : b.second.unfinished);
            });
        if (largest == connections_.end() || largest->second.ended) return;
        Connection& connection = largest->second;
        shut(largest->first, connection);
        unfinished -= std::min(unfinished, connection.unfinished);
        reasons.push_back(
            fmt::format("{} is ended: all together have sent too much that is no whole message",
                        named(connection.key)));
    }
}

std::vector<std::string> Connections::look(double now) {
    if (now < next_look_) return {};
    const double begin = steady_seconds();
    std::vector<std::string> reasons = std::exchange(over_, {});
    watchful_ = false;
    std::uint64_t unfinished = 0;
    for (auto each = connections_.begin(); each != connections_.end();) {
        Connection& connection = each->second;
        const bool had_ended = connection.ended;
        if (!measure(each->first, connection, now)) {
            each = connections_.erase(each);
            continue;
        }
        if (!connection.ended) unfinished += connection.unfinished;
        if (connection.ended && !had_ended)
            reasons.push_back(
                connection.suspect
                    ? fmt::format("{} is ended: it has sent {:.1f} MiB that are no whole message",
                                  named(connection.key),
                                  static_cast<double>(connection.unfinished) / bytes_per_mib)
                    : fmt::format("{} is ended: nothing was heard of it for {:.0f} s",
                                  named(connection.key), now - connection.heard));
        ++each;
    }
    end_largest(unfinished, reasons);
    next_look_ = now + std::max(shortest_pause_s, (steady_seconds() - begin) / share_of_time);
    return reasons;
}

void Connections::shut(int descriptor, Connection& connection) {
    if (connection.ended || cookie_of(descriptor) != connection.cookie) return;
    ::shutdown(descriptor, SHUT_RDWR);
    connection.ended = true;
}

std::uint64_t Connections::token(int descriptor) const {
    const auto found = connections_.find(descriptor);
    return found == connections_.end() ? 0 : found->second.cookie;
}

void Connections::end(int descriptor, std::uint64_t token) {
    const auto found = connections_.find(descriptor);
    if (found != connections_.end() && found->second.cookie == token)
        shut(descriptor, found->second);
}

void Connections::end_all() {
    for (auto& [descriptor, connection] : connections_) shut(descriptor, connection);
}

std::string Connections::keys() const {
    std::map<std::string, std::size_t> counts;
    for (const auto& [descriptor, connection] : connections_)
        if (!connection.key.empty()) ++counts[connection.key];
    std::vector<std::string> keys;
    for (const auto& [key, count] : counts)
        if (keys.size() < max_keys_named) keys.push_back(fmt::format("{} ({})", key, count));
    return keys.empty() ? "none" : fmt::format("{}", fmt::join(keys, ", "));
}

}  // namespace edgeloop
