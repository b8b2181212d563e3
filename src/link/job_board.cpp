#include "edgeloop/link/job_board.hpp"

#include "link/fit.hpp"

#include "edgeloop/core/log.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t remembered_errors = 20;
constexpr std::size_t max_error_length = 400;

bool is_plain_text(const std::string& text) { return text == printable(text); }

}  // namespace

std::string JobBoard::identity_of(const wire::Hello& hello) {
    return fmt::format("{}#{:016x}", hello.name, hello.nonce);
}

std::string JobBoard::name_in(const std::string& identity) {
    return identity.substr(0, identity.rfind('#'));
}

JobBoard::JobBoard(const BoardOptions& options, JobStore& store, std::uint64_t nonce, double now)
    : options_(options), store_(store), nonce_(nonce), started_at_(now) {
    for (OpenJob& open : store_.open_jobs()) {
        const std::uint64_t id = open.id;
        work_[id].open = std::move(open);
    }
    if (work_.empty()) reclaiming_ = false;
}

void JobBoard::receive(const Session& from, const wire::Packet& packet, double now) {
    if (const auto* message = std::get_if<wire::Hello>(&packet.message))
        return hello(from, *message, now);
    if (std::holds_alternative<wire::StatusRequest>(packet.message))
        return send(from, wire::StatusReply{status_text(now)}, packet.request);

    const auto found = peers_.find(from);
    if (found == peers_.end()) return send(from, wire::UnknownSession{});
    Peer& peer = found->second;
    peer.last_seen = now;
    const bool agent = peer.hello.role == wire::Role::agent;
    const bool client = peer.hello.role == wire::Role::client;  // an observer only asks for status

    if (const auto* beat = std::get_if<wire::Heartbeat>(&packet.message)) {
        heartbeat(from, peer, *beat, now);
    } else if (std::holds_alternative<wire::Shutdown>(packet.message)) {
        peer.running = 0;  // an orderly end is no crash
        peer.shut_down = true;
        disconnected(from, now);
    } else if (const auto* wanted = std::get_if<wire::Submit>(&packet.message); wanted && client) {
        submit(from, peer, packet.request, *wanted);
        assign(now);
    } else if (std::holds_alternative<wire::Cancel>(packet.message) && client) {
        cancel(peer, packet.request);
    } else if (const auto* what = std::get_if<wire::Drop>(&packet.message); what && client) {
        drop(from, packet.request, *what, now);
    } else if (const auto* ready = std::get_if<wire::Ready>(&packet.message); ready && agent) {
        peer.credit = std::min(ready->credit, max_credit);
        assign(now);
    } else if (std::holds_alternative<wire::Started>(packet.message) && agent) {
        started(from, peer, packet.request, now);
    } else if (const auto* done = std::get_if<wire::Result>(&packet.message); done && agent) {
        finish(from, peer, packet.request, done->result, now);
        assign(now);
    }
    // ResultAck from a client needs no action: results stay in the store. Anything else is noise.
}

void JobBoard::hello(const Session& from, const wire::Hello& message, double now) {
    if (message.name.empty() || !is_plain_text(message.name) ||
        !is_plain_text(message.device_class))
        return send(from, wire::Refused{"a session needs a name of printable characters"});
    if (peers_.count(from) == 0 && peers_.size() >= options_.max_sessions) {
        remember_error("full",
                       fmt::format("session of '{}' refused: {} are open already", message.name,
                                   peers_.size()),
                       now);
        return send(from, wire::Refused{fmt::format("this bridge has its {} sessions already",
                                                    options_.max_sessions)});
    }
    if (!replace_earlier_session(from, message, now)) return;
    Peer& peer = peers_[from];
    peer.hello = message;
    peer.opened = peer.last_seen = now;
    send(from, wire::Welcome{nonce_, static_cast<std::uint32_t>(options_.heartbeat_s * 1000)});
    if (message.role == wire::Role::agent) {
        agents_[message.name] = from;
        welcome_agent(from, message, now);
    } else if (message.role == wire::Role::client) {
        clients_[identity_of(message)] = from;
        welcome_client(from);
    }
}

/// @return false when the name is that of another device that is here.
bool JobBoard::replace_earlier_session(const Session& from, const wire::Hello& message,
                                       double now) {
    const auto same = peers_.find(from);
    if (same != peers_.end() &&
        (same->second.hello.name != message.name || same->second.hello.role != message.role ||
         same->second.hello.nonce != message.nonce))
        disconnected(from, now);
    if (message.role != wire::Role::agent) return true;
    const auto known = agents_.find(message.name);
    if (known == agents_.end() || known->second == from) return true;
    const Session older = known->second;
    if (peers_.at(older).hello.nonce != message.nonce) {
        // Another process. Either there are two, or the earlier one is dead: then its connection
        // ends or it falls silent, and whoever tries again gets in.
        send(older, wire::Heartbeat{});
        remember_error("name taken",
                       fmt::format("a second device called '{}' is refused", message.name), now);
        send(from, wire::Refused{fmt::format("a device called '{}' is connected already; give one "
                                             "of the two another --name",
                                             message.name)});
        return false;
    }
    // The same process over a new connection: it keeps its jobs.
    Peer moved = std::move(peers_.at(older));
    peers_.erase(older);
    for (const std::uint64_t id : moved.held) {
        const auto held = work_.find(id);
        if (held != work_.end() && held->second.holder == older) held->second.holder = from;
    }
    peers_[from] = std::move(moved);
    return true;
}

/// A client hears of each device, so that it can say which classes there are; of those that it may
/// use it gets the record.
wire::DeviceInfo JobBoard::info_for(const Peer& client, const Peer& device) {
    return {device.hello.name, device.hello.device_class,
            suits(client.hello.device_class, device) ? device.hello.record : "{}"};
}

void JobBoard::welcome_client(const Session& to) {
    const Peer& client = peers_.at(to);
    for (const auto& [name, session] : agents_) send(to, info_for(client, peers_.at(session)));
    send(to, report_for(client));
}

void JobBoard::welcome_agent(const Session& from, const wire::Hello& message, double now) {
    rare_.info("here",
               fmt::format("device '{}' (class {}) is here", message.name, message.device_class),
               now);
    for (auto& [id, work] : work_)
        if (message.nonce != 0 && work.lost_with_nonce == message.nonce) {
            // The same process is back: the link was down, the job killed nobody.
            work.lost_with_nonce = 0;
            store_.set_losses(id, --work.open.losses);
        }
    Peer& peer = peers_.at(from);
    for (const auto& [name, session] : clients_) send(session, info_for(peers_.at(session), peer));
    peer.credit = 0;
    // What was sent over an earlier connection may not have arrived; repeating it is harmless.
    for (const std::uint64_t id : peer.held) {
        const auto held = work_.find(id);
        if (held != work_.end() && !held->second.started)
            send(from, wire::Job{held->second.open.job}, id);
    }
    report_to_clients();
}

void JobBoard::heartbeat(const Session& from, Peer& peer, const wire::Heartbeat& message,
                         double now) {
    send(from, wire::Heartbeat{});
    if (peer.hello.role != wire::Role::agent) return;
    peer.running = message.running;
    for (const std::uint64_t id : message.holding) {
        const auto found = work_.find(id);
        if (found == work_.end()) continue;
        Work& work = found->second;
        if (!work.holder &&
            was_given(work, peer)) {  // after a restart or an outage: leave it where it is
            queue_.remove(id);
            work.holder = from;
            peer.held.insert(id);
        }
        if (work.holder == from) work.leased = now;
    }
    if (message.running != 0) started(from, peer, message.running, now);
}

void JobBoard::submit(const Session& from, const Peer& peer, std::uint64_t id,
                      const wire::Submit& message) {
    if (id != request_id(message.job))
        return send(from, wire::Refused{"the request id does not belong to the job"}, id);
    if (!is_plain_text(message.job.device_class))
        return send(from, wire::Refused{"a class of devices has printable characters"}, id);
    if (const auto stored = store_.result(id); stored && is_lasting(*stored)) {
        send(from, wire::Accepted{}, id);
        return send(from, wire::Result{*stored}, id);
    }
    auto found = work_.find(id);
    if (found == work_.end()) {
        if (work_.size() >= options_.max_queued) return send(from, wire::Busy{}, id);
        found = work_.emplace(id, Work{}).first;
        found->second.open = {id, message.job, message.priority, 0, {}};
        if (const auto unsure = unsure_.find(id); unsure != unsure_.end())
            found->second.tried_on = unsure->second;
        store_.add_job(found->second.open);
    }
    Work& work = found->second;
    const std::string client = identity_of(peer.hello);
    work.clients.insert(client);
    if (!work.holder) queue_.add(id, work.open.job.device_class, client, message.priority);
    send(from, wire::Accepted{}, id);
}

void JobBoard::cancel(const Peer& peer, std::uint64_t id) {
    const auto found = work_.find(id);
    if (found == work_.end()) return;
    const std::string client = identity_of(peer.hello);
    found->second.clients.erase(client);
    queue_.leave(id, client);
    // What a device has already got runs to its end: the answer is kept for whoever asks next.
    if (found->second.clients.empty() && !found->second.holder) {
        store_.drop_job(id);
        drop_work(id);
    }
}

void JobBoard::started(const Session& from, Peer& peer, std::uint64_t id, double now) {
    const auto found = work_.find(id);
    if (found == work_.end() || found->second.holder != from) return;
    peer.running = id;
    if (!found->second.started) found->second.started = now;
}

void JobBoard::disconnected(const Session& session, double now) {
    const auto found = peers_.find(session);
    if (found == peers_.end()) return;
    const Peer peer = found->second;
    peers_.erase(found);
    if (peer.hello.role == wire::Role::agent) {
        close_agent(session, peer, now);
        report_to_clients();
        assign(now);
        return;
    }
    const std::string client = identity_of(peer.hello);
    const auto named = clients_.find(client);
    if (named == clients_.end() || named->second != session) return;
    clients_.erase(named);
    for (auto& [id, work] : work_)
        if (work.clients.erase(client) != 0) queue_.leave(id, client);
}

void JobBoard::close_agent(const Session& session, const Peer& peer, double now) {
    const auto named = agents_.find(peer.hello.name);
    if (named != agents_.end() && named->second == session) agents_.erase(named);
    if (peer.shut_down)
        rare_.info("left", fmt::format("device '{}' has left", peer.hello.name), now);
    else
        rare_.warning("gone", fmt::format("device '{}' is gone", peer.hello.name), now);
    for (const std::uint64_t id : peer.held) {
        const auto held = work_.find(id);
        if (held == work_.end() || held->second.holder != session) continue;
        Work& work = held->second;
        // Others that it holds wait there, or are measured and wait to be confirmed.
        if (peer.running == id) count_loss(work, peer.hello.nonce, peer.hello.name, now);
        if (work.open.losses >= options_.crash_limit)
            report_crash(work, peer.hello.name);
        else
            take_back(id);
    }
}

bool JobBoard::suits(const std::string& wanted, const Peer& agent) {
    return wanted.empty() || wanted == agent.hello.device_class;
}

std::size_t JobBoard::devices_for(const std::string& wanted) const {
    return std::size_t(std::count_if(agents_.begin(), agents_.end(), [&](const auto& entry) {
        return suits(wanted, peers_.at(entry.second));
    }));
}

wire::LinkReport JobBoard::report_for(const Peer& client) const {
    return {static_cast<std::uint32_t>(devices_for(client.hello.device_class)),
            static_cast<std::uint32_t>(queue_.size())};
}

void JobBoard::dismiss(const Session& session, double now) {
    const auto found = peers_.find(session);
    if (found == peers_.end()) return;
    found->second.running = 0;
    rare_.warning("dismissed", fmt::format("'{}' may no longer connect", found->second.hello.name),
                  now);
    disconnected(session, now);
}

void JobBoard::probe_sessions() {
    for (const auto& [session, peer] : peers_) send(session, wire::Heartbeat{});
}

void JobBoard::tick(double now) {
    std::vector<Session> gone;
    for (const auto& [session, peer] : peers_)
        if (now - peer.last_seen >
            (peer.running != 0 ? options_.quiet_dead_s : options_.peer_dead_s))
            gone.push_back(session);
    for (const Session& session : gone) disconnected(session, now);

    if (reclaiming_ && now - started_at_ >= options_.reclaim_s) {
        reclaiming_ = false;
        for (const auto& [id, work] : work_)
            if (!work.holder && !queue_.contains(id)) enqueue(work);
    }
    check_leases(now);
    assign(now);
    if (reported_queue_ != queue_.size()) report_to_clients();
}

void JobBoard::send(const Session& to, wire::Message message, std::uint64_t request) {
    outgoing_.push_back({to, {std::move(message), request}});
}

void JobBoard::report_to_clients() {
    reported_queue_ = queue_.size();
    for (const auto& [name, session] : clients_) send(session, report_for(peers_.at(session)));
}

void JobBoard::remember_error(const std::string& kind, const std::string& text, double now) {
    const std::string line = printable(text.substr(0, max_error_length));
    rare_.warning(kind, line, now);
    if (std::find(last_errors_.begin(), last_errors_.end(), line) != last_errors_.end()) return;
    last_errors_.push_back(line);
    if (last_errors_.size() > remembered_errors) last_errors_.pop_front();
}

std::vector<JobBoard::Outgoing> JobBoard::take_outgoing() { return std::exchange(outgoing_, {}); }

}  // namespace edgeloop
