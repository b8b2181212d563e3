#include "edgeloop/link/job_board.hpp"

#include "edgeloop/core/text.hpp"
#include "edgeloop/link/file_store.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t remembered_errors = 24;
constexpr std::ptrdiff_t remembered_of_a_kind = 4;
constexpr std::size_t max_error_length = 400;
/// Jobs that are found at the start have at least so long for a search or a device to come back.
constexpr double restart_grace_s = 3600;
constexpr double report_pause_s = 0.5;  ///< of the queue's length to clients

/// Of a message in memory, about.
std::size_t weight_of(const wire::Message& message) {
    constexpr std::size_t small = 256;
    if (const auto* info = std::get_if<wire::DeviceInfo>(&message))
        return small + info->record.size();
    if (const auto* job = std::get_if<wire::Job>(&message)) return small + job->job.spec.size();
    if (const auto* result = std::get_if<wire::Result>(&message))
        return small * (1 + result->result.metrics.size()) + result->result.record.size();
    if (const auto* status = std::get_if<wire::StatusReply>(&message)) return status->json.size();
    if (const auto* piece = std::get_if<wire::Piece>(&message)) return small + piece->bytes.size();
    return small;
}

}  // namespace

JobBoard::JobBoard(const BoardOptions& options, JobStore& store, std::uint64_t nonce, double now)
    : options_(options),
      store_(store),
      nonce_(nonce),
      started_at_(now),
      sessions_(options.max_sessions),
      records_(options.max_record_bytes),
      jobs_(options.max_queued),
      bytes_(options.max_queued_bytes),
      name_places_(limits::names),
      hellos_(limits::hellos),
      questions_(limits::questions),
      wishes_(limits::submits),
      pieces_(limits::pieces) {
    const double max_age = options.expire_s - std::min(restart_grace_s, options.expire_s);
    for (OpenJob& open : store_.open_jobs()) {
        Work& work = work_[open.id];
        const std::string owner = std::exchange(open.owner, {});
        work.since = work.wanted = now - std::min(open.age_s, max_age);
        work.open = std::move(open);
        charge(work, owner);
        use_files(work.open.job);
    }
    if (FileStore* const files = store_.files())
        files->keep_only([this](const FileName& file) { return file_uses_.count(file) != 0; });
    if (work_.empty()) reclaiming_ = false;
}

void JobBoard::receive(const Session& from, const wire::Packet& packet, double now,
                       const Principal& who) {
    if (const auto* message = std::get_if<wire::Hello>(&packet.message))
        return hello(from, *message, now, who);
    auto found = peers_.find(from);
    if (found != peers_.end() && found->second.who.key != who.key) {
        // A connection that chose the name of one that is gone.
        disconnected(from, now);
        found = peers_.end();
    }
    if (std::holds_alternative<wire::StatusRequest>(packet.message))
        return report_status(from,
                             found == peers_.end() ? owner_of(who, from) : found->second.owner,
                             packet.request, now);
    if (found == peers_.end()) return send(from, wire::UnknownSession{});
    Peer& peer = found->second;
    peer.last_seen = now;
    peer.who = who;  // what its key may do is looked up for each message
    const bool agent = peer.hello.role == wire::Role::agent;
    const bool client = peer.hello.role == wire::Role::client;  // an observer only asks for status

    if (const auto* beat = std::get_if<wire::Heartbeat>(&packet.message)) {
        heartbeat(from, peer, *beat, now);
    } else if (std::holds_alternative<wire::Shutdown>(packet.message)) {
        peer.running = 0;  // an orderly end is no crash
        peer.shut_down = true;
        disconnected(from, now);
    } else if (const auto* wanted = std::get_if<wire::Submit>(&packet.message); wanted && client) {
        submit(from, peer, packet.request, *wanted, now);
    } else if (std::holds_alternative<wire::Cancel>(packet.message) && client) {
        cancel(peer, packet.request, now);
    } else if (const auto* what = std::get_if<wire::Drop>(&packet.message); what && client) {
        drop(from, packet.request, *what, now);
    } else if (const auto* piece = std::get_if<wire::Piece>(&packet.message); piece && client) {
        take_piece(from, peer, packet.request, *piece, now);
    } else if (const auto* asked = std::get_if<wire::PieceRequest>(&packet.message);
               asked && agent) {
        give_piece(from, peer, packet.request, *asked, now);
    } else if (const auto* ready = std::get_if<wire::Ready>(&packet.message); ready && agent) {
        peer.credit = std::min(ready->credit, max_credit);
        assign_soon(now);
    } else if (std::holds_alternative<wire::Started>(packet.message) && agent) {
        started(from, peer, packet.request, now);
    } else if (const auto* done = std::get_if<wire::Result>(&packet.message); done && agent) {
        finish(from, peer, packet.request, done->result, now);
        assign_soon(now);
    }
    // ResultAck from a client needs no action: results stay in the store. Anything else is noise.
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
        // After a restart or an outage: leave it where it is, unless it has been there in vain.
        if (!work.holder && was_given(work, peer) && work.tried_on.count(peer.hello.name) == 0) {
            queue_.remove(id);
            work.holder = from;
            work.given = now;
            peer.held.insert(id);
        }
        if (work.holder == from) work.leased = now;
    }
    if (message.running != 0) started(from, peer, message.running, now);
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
    expire(now);
    look_after_names(now);
    look_after_uploads(now);
    assign_soon(now);
    if (reported_queue_ != queue_.size() && now - reported_at_ >= report_pause_s)
        report_to_clients(now);
    const std::string trouble = store_.trouble();
    if (trouble != trouble_ && !trouble.empty()) remember_error("store", trouble, now);
    trouble_ = trouble;
}

void JobBoard::send(const Session& to, wire::Message message, std::uint64_t request) {
    outgoing_bytes_ += weight_of(message);
    outgoing_.push_back({to, {std::move(message), request}});
}

void JobBoard::report_to_clients(double now) {
    reported_queue_ = queue_.size();
    reported_at_ = now;
    for (const auto& [number, client] : clients_)
        if (const auto to = peers_.find(client.session); to != peers_.end())
            send(client.session, report_for(to->second));
}

void JobBoard::remember_error(const std::string& kind, const std::string& text, double now) {
    const std::string line(beginning(printable(text), max_error_length));
    rare_.warning(kind, line, now);
    const auto is_this = [&](const Complaint& known) { return known.line == line; };
    if (std::any_of(complaints_.begin(), complaints_.end(), is_this)) return;
    // One peer that makes many does not hide those of others.
    const auto is_alike = [&](const Complaint& known) { return known.kind == kind; };
    if (std::count_if(complaints_.begin(), complaints_.end(), is_alike) >= remembered_of_a_kind)
        complaints_.erase(std::find_if(complaints_.begin(), complaints_.end(), is_alike));
    complaints_.push_back({kind, line});
    if (complaints_.size() > remembered_errors) complaints_.pop_front();
}

std::vector<JobBoard::Outgoing> JobBoard::take_outgoing() {
    if (std::exchange(assign_due_, false)) assign(assign_at_);
    outgoing_bytes_ = 0;
    return std::exchange(outgoing_, {});
}

}  // namespace edgeloop
