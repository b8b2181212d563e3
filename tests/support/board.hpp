#pragma once

#include "edgeloop/link/job_board.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop::test {

inline MeasurementJob job(int number, const std::string& device_class = "") {
    return {Json{{"n", number}}.dump(), "{}", device_class};
}

/// A board, a clock and what was sent.
class Board {
  public:
    explicit Board(JobStore& store, const BoardOptions& options = {})
        : board_(options, store, 1, 0) {}

    /// What the session shows from now on.
    void show_key(const std::string& session, const std::string& key, bool may_drop_any = false) {
        keys_[session] = {key, may_drop_any};
    }
    void unlist(const std::string& key) {
        board_.forget_names([&](const std::string& listed) { return listed != key; });
    }
    void client(const std::string& name, const std::string& session = "", std::uint64_t nonce = 1) {
        hello(wire::Role::client, name, nonce, "", session);
    }
    void agent(const std::string& name, std::uint64_t nonce = 1, std::uint32_t credit = 1,
               const std::string& device_class = "c", const std::string& session = "",
               const std::string& record = "{}") {
        hello(wire::Role::agent, name, nonce, device_class, session, record);
        say(session.empty() ? name : session, wire::Ready{credit});
    }
    std::uint64_t submit(const std::string& client, const MeasurementJob& wanted,
                         std::int32_t priority = 0) {
        const std::uint64_t id = request_id(wanted);
        say(client, wire::Submit{wanted, priority}, id);
        return id;
    }
    void finish(const std::string& agent, std::uint64_t id, double latency_ms = 1) {
        MeasurementResult result;
        result.metrics["latency_ms"] = latency_ms;
        say(agent, wire::Result{result}, id);
    }
    void say(const std::string& from, wire::Message message, std::uint64_t id = 0) {
        const auto key = keys_.find(from);
        board_.receive(from, {std::move(message), id}, now,
                       key == keys_.end() ? Principal{} : key->second);
        collect();
    }
    void vanish(const std::string& session) {
        board_.disconnected(session, now);
        collect();
    }
    void pass(double seconds) {
        now += seconds;
        board_.tick(now);
        collect();
    }
    /// Lets time pass; these say that they are still here.
    void pass_with(double seconds, const std::vector<std::string>& sessions) {
        for (const std::string& session : sessions) say(session, wire::Heartbeat{});
        pass(seconds);
    }
    /// Requests of the messages of type M sent to `session`, and forgets them.
    template <class M>
    std::vector<std::uint64_t> received(const std::string& session) {
        std::vector<std::uint64_t> ids;
        for (auto sent = sent_.begin(); sent != sent_.end();) {
            if (sent->to == session && std::holds_alternative<M>(sent->packet.message)) {
                ids.push_back(sent->packet.request);
                sent = sent_.erase(sent);
            } else {
                ++sent;
            }
        }
        return ids;
    }
    /// The last message of type M sent to `session`, or a fresh one.
    template <class M>
    M last(const std::string& session) {
        M found{};
        for (const auto& sent : sent_)
            if (sent.to == session && std::holds_alternative<M>(sent.packet.message))
                found = std::get<M>(sent.packet.message);
        return found;
    }
    [[nodiscard]] Json status() const { return board_.status(now); }
    [[nodiscard]] bool knows(const std::string& session) const { return board_.knows(session); }

    double now = 0;

  private:
    void hello(wire::Role role, const std::string& name, std::uint64_t nonce,
               const std::string& device_class, const std::string& session = "",
               const std::string& record = "{}") {
        say(session.empty() ? name : session, wire::Hello{role, name, nonce, device_class, record});
    }
    void collect() {
        for (auto& sent : board_.take_outgoing()) sent_.push_back(std::move(sent));
    }

    JobBoard board_;
    std::map<std::string, Principal> keys_;
    std::vector<JobBoard::Outgoing> sent_;
};

}  // namespace edgeloop::test
