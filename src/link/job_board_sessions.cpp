// Who is here: sessions begin, move, end.

#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/link/job_board.hpp"

#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// For so long the name of a device that is away is kept for its key.
constexpr double name_reserved_s = 86'400;

bool is_plain_text(const std::string& text) { return text == printable(text); }

}  // namespace

std::string JobBoard::owner_of(const Principal& who, const std::string& name) {
    return who.key.empty() ? name : who.key;
}

std::string JobBoard::identity_of(const std::string& owner, const wire::Hello& hello) {
    return fmt::format("{}\n{}\n{:016x}", owner, hello.name, hello.nonce);  // neither has a newline
}

/// Why a session of this name, or one more Hello of this owner, is not wanted; empty: it may be.
std::string JobBoard::hello_refusal(const wire::Hello& message, double now,
                                    const std::string& owner) {
    if (message.name.empty() || !is_plain_text(message.name) ||
        !is_plain_text(message.device_class))
        return "a session needs a name of printable characters";
    // All searches get the record.
    const double cost = 1 + static_cast<double>(message.record.size()) / limits::bytes_that_count;
    if (hellos_.spend(owner, cost, now)) return {};
    remember_error("hellos",
                   fmt::format("'{}' opens sessions too often: it has to wait", message.name), now);
    return "sessions of this peer are opened too often; it gets in later";
}

/// Why there is no room for a session; empty: there is.
std::string JobBoard::full_for(const Session& from, const wire::Hello& message,
                               const std::string& owner) const {
    const auto known = peers_.find(from);
    if (known == peers_.end() && !sessions_.may_take(owner))
        return fmt::format(
            "this bridge has {} of its {} sessions open already, and none for this "
            "peer",
            sessions_.used(), options_.max_sessions);
    const std::size_t before = known == peers_.end() ? 0 : known->second.hello.record.size();
    if (message.role == wire::Role::agent && message.record.size() > before &&
        !records_.may_take(owner, message.record.size() - before))
        return "the records of the devices of this peer are too large together";
    return {};
}

void JobBoard::hello(const Session& from, const wire::Hello& message, double now,
                     const Principal& who) {
    const std::string owner = owner_of(who, message.name);
    const std::string refusal = hello_refusal(message, now, owner);
    if (!refusal.empty()) return send(from, wire::Refused{refusal});
    if (!replace_earlier_session(from, message, now, who)) return;
    if (const std::string full = full_for(from, message, owner); !full.empty()) {
        disconnected(from, now);  // it may have been here, or come from an earlier connection
        const auto known = known_as_.find(identity_of(owner, message));
        if (known != known_as_.end() && !knows(clients_.at(known->second).session))
            forget_client(known->second, now);
        remember_error("full", fmt::format("session of '{}' refused: {}", message.name, full), now);
        return send(from, wire::Refused{full});
    }
    const auto [place, is_new] = peers_.try_emplace(from);
    Peer& peer = place->second;
    if (is_new) {
        peer.owner = owner;
        sessions_.take(owner);
    }
    records_.give_back(owner, peer.hello.record.size());
    peer.hello = message;
    if (message.role != wire::Role::agent) peer.hello.record.clear();
    records_.take(owner, peer.hello.record.size());
    peer.who = who;
    peer.opened = peer.last_seen = now;
    send(from, wire::Welcome{nonce_, static_cast<std::uint32_t>(options_.heartbeat_s * 1000)});
    if (message.role == wire::Role::agent) {
        agents_[message.name] = from;
        welcome_agent(from, peer, now);
    } else if (message.role == wire::Role::client) {
        welcome_client(from, peer);
    }
}

/// @return false when the name is another device's.
bool JobBoard::replace_earlier_session(const Session& from, const wire::Hello& message, double now,
                                       const Principal& who) {
    const auto same = peers_.find(from);
    if (same != peers_.end() && !is_alike(same->second, message, who)) disconnected(from, now);
    if (message.role == wire::Role::client) {
        const auto known = known_as_.find(identity_of(owner_of(who, message.name), message));
        if (known != known_as_.end() && clients_.at(known->second).session != from)
            forget_peer(clients_.at(known->second).session);
    }
    if (message.role != wire::Role::agent) return true;
    const std::string refusal = name_refusal(from, message, now, who);
    if (!refusal.empty()) {
        send(from, wire::Refused{refusal});
        return false;
    }
    const auto known = agents_.find(message.name);
    if (known == agents_.end() || known->second == from) return true;
    const Session older = known->second;
    if (is_alike(peers_.at(older), message, who))
        move_agent(older, from);
    else
        disconnected(older, now);  // it asks for other jobs than before
    return true;
}

/// Whether this is the same process, and asks for the same jobs.
bool JobBoard::is_alike(const Peer& peer, const wire::Hello& message, const Principal& who) {
    return peer.hello.name == message.name && peer.hello.role == message.role &&
           peer.hello.nonce == message.nonce && peer.who.key == who.key &&
           (message.role != wire::Role::agent || peer.hello.device_class == message.device_class);
}

/// Why a device may not be called so; empty: it may, and whoever is here of that name is itself.
std::string JobBoard::name_refusal(const Session& from, const wire::Hello& message, double now,
                                   const Principal& who) {
    const auto known = agents_.find(message.name);
    if (known != agents_.end() && known->second != from) {
        const Peer& there = peers_.at(known->second);
        if (there.hello.nonce == message.nonce && there.who.key == who.key) return {};
        // Another process. Either there are two, or the earlier one is dead: then its connection
        // ends or it falls silent, and whoever tries again gets in.
        send(known->second, wire::Heartbeat{});
        remember_error("name taken",
                       fmt::format("a second device called '{}' is refused", message.name), now);
        return fmt::format(
            "a device called '{}' is connected already; give one of the two "
            "another --name",
            message.name);
    }
    const auto named = names_.find(message.name);
    if (named == names_.end() || who.key.empty() || named->second.key == who.key ||
        now - named->second.seen > name_reserved_s)
        return {};
    remember_error("name taken",
                   fmt::format("a device with another key than the one called '{}' before is "
                               "refused",
                               message.name),
                   now);
    return fmt::format(
        "a device with another key was called '{}' within a day; choose another "
        "--name, or remove that key from the allow-list",
        message.name);
}

void JobBoard::reserve_name(const Peer& agent, double now) {
    const std::string& key = agent.who.key;
    const auto named = names_.find(agent.hello.name);
    if (key.empty()) return;
    if (named == names_.end() || named->second.key != key) {
        if (!name_places_.may_take(key)) return;
        if (named != names_.end()) name_places_.give_back(named->second.key);
        name_places_.take(key);
    }
    names_[agent.hello.name] = {key, now};
}

void JobBoard::look_after_names(double now) {
    if (now < next_look_at_names_) return;
    next_look_at_names_ = now + name_reserved_s / 100;
    for (const auto& [name, session] : agents_) reserve_name(peers_.at(session), now);
    for (auto named = names_.begin(); named != names_.end();) {
        const bool is_over = now - named->second.seen > name_reserved_s;
        if (is_over) name_places_.give_back(named->second.key);
        named = is_over ? names_.erase(named) : std::next(named);
    }
}

void JobBoard::forget_names(const std::function<bool(const std::string&)>& is_listed) {
    for (auto named = names_.begin(); named != names_.end();) {
        const bool is_over = !is_listed(named->second.key);
        if (is_over) name_places_.give_back(named->second.key);
        named = is_over ? names_.erase(named) : std::next(named);
    }
}

/// The same process over a new connection: it keeps its jobs.
void JobBoard::move_agent(const Session& older, const Session& from) {
    Peer moved = std::move(peers_.at(older));
    peers_.erase(older);
    for (const std::uint64_t id : moved.held) {
        const auto held = work_.find(id);
        if (held != work_.end() && held->second.holder == older) held->second.holder = from;
    }
    agents_[moved.hello.name] = from;
    peers_.insert_or_assign(from, std::move(moved));
}

void JobBoard::forget_peer(const Session& session) {
    const auto found = peers_.find(session);
    if (found == peers_.end()) return;
    sessions_.give_back(found->second.owner);
    records_.give_back(found->second.owner, found->second.hello.record.size());
    peers_.erase(found);
}

void JobBoard::forget_client(std::uint64_t number, double now) {
    const std::set<std::uint64_t> wanted = clients_.at(number).wants;
    for (const std::uint64_t id : wanted) stop_waiting(work_.at(id), number, now);
    end_uploads_of(number);
    known_as_.erase(clients_.at(number).identity);
    clients_.erase(number);
}

/// A client hears of each device, so that it can say which classes there are; of those that it may
/// use it gets the record.
wire::DeviceInfo JobBoard::info_for(const Peer& client, const Peer& device) {
    return {device.hello.name, device.hello.device_class,
            suits(client.hello.device_class, device) ? device.hello.record : "{}"};
}

void JobBoard::welcome_client(const Session& from, Peer& peer) {
    const auto [known, is_new] =
        known_as_.try_emplace(identity_of(peer.owner, peer.hello), next_client_);
    Client& client = clients_[known->second];
    if (is_new) {
        client.identity = known->first;
        client.name = peer.hello.name;
        client.owner = peer.owner;
        client.waiter = {digest(peer.owner).low, next_client_++};
    }
    client.session = from;
    peer.client = known->second;
    for (const auto& [name, session] : agents_) send(from, info_for(peer, peers_.at(session)));
    send(from, report_for(peer));
}

void JobBoard::welcome_agent(const Session& from, Peer& peer, double now) {
    rare_.info(
        "here",
        fmt::format("device '{}' (class {}) is here", peer.hello.name, peer.hello.device_class),
        now);
    restore_losses(peer);
    reserve_name(peer, now);
    note_class(peer.hello.device_class, now);
    for (const auto& [number, client] : clients_)
        if (const auto to = peers_.find(client.session); to != peers_.end())
            send(client.session, info_for(to->second, peer));
    peer.credit = 0;
    // What was sent over an earlier connection may not have arrived; repeating it is harmless.
    for (const std::uint64_t id : peer.held) {
        const auto held = work_.find(id);
        if (held != work_.end() && !held->second.started)
            send(from, wire::Job{held->second.open.job}, id);
    }
    report_to_clients(now);
}

/// The same process is back: the link was down, the job killed nobody.
void JobBoard::restore_losses(const Peer& agent) {
    auto [lost, end] = lost_.equal_range(agent.hello.nonce);
    while (lost != end) {
        Work& work = work_.at(lost->second);
        if (!was_given(work, agent)) {
            ++lost;
            continue;
        }
        work.lost_with_nonce = 0;
        work.tried_on.erase(agent.hello.name);
        store_.set_losses(work.open.id, --work.open.losses);
        lost = lost_.erase(lost);
    }
}

void JobBoard::disconnected(const Session& session, double now) {
    const auto found = peers_.find(session);
    if (found == peers_.end()) return;
    const Peer peer = found->second;
    forget_peer(session);
    if (peer.hello.role == wire::Role::agent) {
        close_agent(session, peer, now);
        report_to_clients(now);
        assign_soon(now);
    } else if (peer.client != 0) {
        forget_client(peer.client, now);
    }
}

void JobBoard::close_agent(const Session& session, const Peer& peer, double now) {
    const auto named = agents_.find(peer.hello.name);
    if (named != agents_.end() && named->second == session) agents_.erase(named);
    reserve_name(peer, now);
    note_class(peer.hello.device_class, now);
    if (peer.shut_down)
        rare_.info("left", fmt::format("device '{}' has left", peer.hello.name), now);
    else
        rare_.warning("gone", fmt::format("device '{}' is gone", peer.hello.name), now);
    for (const std::uint64_t id : peer.held) {
        const auto held = work_.find(id);
        if (held == work_.end() || held->second.holder != session) continue;
        Work& work = held->second;
        // Others that it holds wait there, or are measured and wait to be confirmed.
        if (peer.running == id) count_loss(work, peer, now);
        if (work.open.losses >= options_.crash_limit)
            report_crash(work, peer.hello.name);
        else
            take_back(id);
    }
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

}  // namespace edgeloop
