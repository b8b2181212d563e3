#include "link/outbox.hpp"

#include "edgeloop/link/limits.hpp"

#include <algorithm>
#include <utility>

namespace edgeloop {
std::map<std::string, Outbox::Line>::iterator Outbox::forget(
    std::map<std::string, Line>::iterator line) {
    bytes_ -= line->second.bytes;
    return waiting_.erase(line);
}

bool Outbox::send(const std::string& to, std::string bytes, double now) {
    auto line = waiting_.find(to);
    if (line == waiting_.end()) {
        const Delivery delivery = deliver_now(router_, to, bytes);
        if (delivery != Delivery::no_room) return delivery == Delivery::done;
        line = waiting_.emplace(to, Line{}).first;
        line->second.moved = now;
    }
    line->second.bytes += bytes.size();
    bytes_ += bytes.size();
    line->second.messages.push_back(std::move(bytes));
    if (line->second.bytes <= limits::unsent_bytes) return true;
    forget(line);
    return false;
}

/// @return false when the peer is gone.
bool Outbox::move_on(const std::string& to, Line& line, double now) {
    while (!line.messages.empty()) {
        const Delivery delivery = deliver_now(router_, to, line.messages.front());
        if (delivery == Delivery::no_route) return false;
        if (delivery == Delivery::no_room) return now - line.moved <= limits::standstill_s;
        line.moved = now;
        line.bytes -= line.messages.front().size();
        bytes_ -= line.messages.front().size();
        line.messages.pop_front();
    }
    return true;
}

std::vector<std::string> Outbox::retry(double now) {
    std::vector<std::string> given_up;
    for (auto line = waiting_.begin(); line != waiting_.end();) {
        const bool is_there = move_on(line->first, line->second, now);
        if (!is_there) given_up.push_back(line->first);
        line = !is_there || line->second.messages.empty() ? forget(line) : std::next(line);
    }
    while (bytes_ > limits::all_unsent_bytes) {
        const auto largest = std::max_element(
            waiting_.begin(), waiting_.end(),
            [](const auto& a, const auto& b) { return a.second.bytes < b.second.bytes; });
        given_up.push_back(largest->first);
        forget(largest);
    }
    return given_up;
}

}  // namespace edgeloop
