#include "edgeloop/link/job_board.hpp"

#include "link/fit.hpp"

#include "edgeloop/core/log.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t remembered_errors = 20;
constexpr std::size_t longest_error = 400;
constexpr std::size_t remembered_answers = 200;
constexpr std::size_t remembered_unsure = 10'000;
constexpr std::uint32_t largest_credit = 16;
constexpr std::size_t most_named_searches = 8;  ///< that wait for jobs of one class
constexpr std::size_t most_classes_shown = 64;
constexpr std::size_t most_remembered_devices = 32;  ///< of those that one job was given to

bool is_plain_text(const std::string& text) {
    return std::none_of(text.begin(), text.end(),
                        [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool is_plain_name(const std::string& text) { return !text.empty() && is_plain_text(text); }

/// Under which a client's wishes are kept: what it is called and which process it is.
std::string identity_of(const wire::Hello& hello) {
    return fmt::format("{}#{:016x}", hello.name, hello.nonce);
}

std::string name_in(const std::string& identity) { return identity.substr(0, identity.rfind('#')); }

bool is_answer(Status status) { return status == Status::completed || status == Status::failed; }

}  // namespace

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

    if (const auto* beat = std::get_if<wire::Heartbeat>(&packet.message)) {
        heartbeat(from, peer, *beat, now);
    } else if (std::holds_alternative<wire::Goodbye>(packet.message)) {
        peer.running = 0;  // an orderly end is no crash
        peer.said_goodbye = true;
        close(from, now);
    } else if (const auto* wanted = std::get_if<wire::Submit>(&packet.message); wanted && !agent) {
        submit(from, peer, packet.request, *wanted);
        assign(now);
    } else if (std::holds_alternative<wire::Cancel>(packet.message) && !agent) {
        cancel(peer, packet.request);
    } else if (const auto* what = std::get_if<wire::Drop>(&packet.message); what && !agent) {
        if (peer.hello.role == wire::Role::client) drop(from, packet.request, *what, now);
    } else if (const auto* ready = std::get_if<wire::Ready>(&packet.message); ready && agent) {
        peer.credit = std::min(ready->credit, largest_credit);
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
    if (!is_plain_name(message.name) || !is_plain_text(message.device_class))
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
        close(from, now);
    if (message.role != wire::Role::agent) return true;
    const auto known = agents_.find(message.name);
    if (known == agents_.end() || known->second == from) return true;
    const Session older = known->second;
    if (peers_.at(older).hello.nonce != message.nonce) {
        // Another process. Either there are two, or the earlier one is dead: then its connection
        // ends or it falls silent, and whoever knocks again gets in.
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
            suits(client, device) ? device.hello.record : "{}"};
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
    store_.set_device(message.name, message.record);
    for (auto& [id, work] : work_)
        if (work.lost_with_nonce == message.nonce) {
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

void JobBoard::drop(const Session& from, std::uint64_t id, const wire::Drop& what, double now) {
    const auto is_wanted_by = [&](const Work& work) {
        return std::any_of(
            work.clients.begin(), work.clients.end(),
            [&](const std::string& client) { return name_in(client) == what.owner; });
    };
    std::vector<std::uint64_t> dropped;
    for (const auto& [job, work] : work_)
        if ((id == 0 || job == id) &&
            (what.device_class.empty() || work.open.job.device_class == what.device_class) &&
            (what.owner.empty() || is_wanted_by(work)))
            dropped.push_back(job);
    for (const std::uint64_t job : dropped) drop_one(job);
    remember_error("dropped",
                   fmt::format("'{}' dropped {} jobs", peers_.at(from).hello.name, dropped.size()),
                   now);
    send(from, wire::Dropped{static_cast<std::uint32_t>(dropped.size())}, id);
}

/// Those that wait for the job are told; whoever asks for it later starts it anew.
void JobBoard::drop_one(std::uint64_t id) {
    const Work& work = work_.at(id);
    if (work.holder) peers_.at(*work.holder).held.erase(id);
    MeasurementResult result;
    result.status = Status::failed;
    result.reason = "dropped at the bridge by its operator";
    const std::set<std::string> clients = work.clients;
    store_.drop_job(id);
    drop_work(id);
    answer(id, result, clients);
}

void JobBoard::started(const Session& from, Peer& peer, std::uint64_t id, double now) {
    const auto found = work_.find(id);
    if (found == work_.end() || found->second.holder != from) return;
    peer.running = id;
    if (!found->second.started) found->second.started = now;
}

/// Whether the device may answer or keep the job: it was sent to it, now or before an outage, a
/// restart of ours or a lease that ran out. The first answer of such a device counts.
bool JobBoard::was_given(const Work& work, const Peer& agent) {
    const std::string& wanted = work.open.job.device_class;
    if (!wanted.empty() && wanted != agent.hello.device_class) return false;
    const auto& given = work.open.given;
    return std::find(given.begin(), given.end(), agent.hello.name) != given.end();
}

void JobBoard::refuse_answer(const Session& from, const Peer& agent, std::uint64_t id, double now) {
    ++refused_answers_;
    remember_error("not given",
                   fmt::format("device '{}' answers {:016x}, which it was not given: refused",
                               agent.hello.name, id),
                   now);
    send(from, wire::ResultAck{}, id);  // it need not say it again
}

void JobBoard::finish(const Session& from, Peer& peer, std::uint64_t id, MeasurementResult result,
                      double now) {
    if (peer.running == id) peer.running = 0;
    const auto found = work_.find(id);
    if (found != work_.end() && found->second.holder != from && !was_given(found->second, peer))
        return refuse_answer(from, peer, id, now);
    peer.held.erase(id);
    if (found == work_.end()) return send(from, wire::ResultAck{}, id);  // answered already
    Work& work = found->second;
    if (!is_answer(result.status)) {  // the device could not: someone else, or later
        if (work.holder != from) return send(from, wire::ResultAck{}, id);
        if (++work.failures < options_.device_tries) {
            take_back(id);
            return send(from, wire::ResultAck{}, id);
        }
        result.status = Status::lost;
    }
    result.device = peer.hello.name;
    if (result.status == Status::failed && result.failure_of == FailureOf::device &&
        try_elsewhere(work, result.device)) {
        remember_error("failed",
                       fmt::format("{}: {}; another device tries", peer.hello.name, result.reason),
                       now);
        return send(from, wire::ResultAck{}, id);
    }
    ++peer.measured;
    peer.busy_s += result.seconds;
    ++answered_;
    finished_at_.push_back(now);
    if (finished_at_.size() > remembered_answers) finished_at_.pop_front();
    if (result.status != Status::completed)
        remember_error("failed", fmt::format("{}: {}", peer.hello.name, result.reason), now);
    if (work.holder && work.holder != from) peers_.at(*work.holder).held.erase(id);
    send(from, wire::ResultAck{}, id);
    conclude(id, result);
}

bool JobBoard::untried_device_for(const Work& work) const {
    return std::any_of(agents_.begin(), agents_.end(), [&](const auto& entry) {
        const std::string& wanted = work.open.job.device_class;
        return work.tried_on.count(entry.first) == 0 &&
               (wanted.empty() || wanted == peers_.at(entry.second).hello.device_class);
    });
}

bool JobBoard::try_elsewhere(Work& work, const std::string& device) {
    work.tried_on.insert(device);
    if (++work.failures >= options_.device_tries || !untried_device_for(work)) return false;
    take_back(work.open.id);
    return true;
}

void JobBoard::conclude(std::uint64_t id, const MeasurementResult& result) {
    const Work work = work_.at(id);
    drop_work(id);
    if (is_lasting(result)) {
        unsure_.erase(id);
        store_.add_result(id, result);
    } else {
        store_.drop_job(id);
        if (result.status == Status::completed) {
            if (unsure_.size() >= remembered_unsure) unsure_.clear();
            unsure_[id] = work.tried_on;
            unsure_[id].insert(result.device);
        }
    }
    answer(id, result, work.clients);
}

void JobBoard::answer(std::uint64_t id, const MeasurementResult& result,
                      const std::set<std::string>& clients) {
    for (const std::string& name : clients) {
        const auto session = clients_.find(name);
        if (session != clients_.end()) send(session->second, wire::Result{result}, id);
    }
}

void JobBoard::assign(double now) {
    // Idle devices first, so that a job does not wait behind another while a device is free.
    for (std::uint32_t depth = 0; depth < largest_credit && queue_.size() > 0; ++depth)
        for (const auto& [name, session] : agents_) {
            Peer& agent = peers_.at(session);
            if (agent.held.size() != depth || agent.held.size() >= agent.credit) continue;
            const auto may = [&, &device = name](std::uint64_t id) {
                const Work& work = work_.at(id);
                return work.tried_on.count(device) == 0 || !untried_device_for(work);
            };
            if (const auto id = queue_.pick(agent.hello.device_class, may))
                send_job(session, work_.at(*id), now);
        }
}

void JobBoard::send_job(const Session& to, Work& work, double now) {
    work.holder = to;
    work.leased = now;
    work.started.reset();
    Peer& agent = peers_.at(to);
    agent.held.insert(work.open.id);
    if (!was_given(work, agent)) {
        auto& given = work.open.given;
        if (given.size() >= most_remembered_devices) given.erase(given.begin());
        given.push_back(agent.hello.name);
        store_.give_job(work.open.id, agent.hello.name);
    }
    send(to, wire::Job{work.open.job}, work.open.id);
}

void JobBoard::enqueue(const Work& work) {
    const OpenJob& open = work.open;
    if (work.clients.empty()) queue_.add(open.id, open.job.device_class, "", open.priority);
    for (const std::string& client : work.clients)
        queue_.add(open.id, open.job.device_class, client, open.priority);
}

void JobBoard::take_back(std::uint64_t id) {
    Work& work = work_.at(id);
    if (work.holder) {
        const auto holder = peers_.find(*work.holder);
        if (holder != peers_.end()) holder->second.held.erase(id);
    }
    work.holder.reset();
    work.started.reset();
    enqueue(work);
}

void JobBoard::count_loss(Work& work, std::uint64_t nonce, const std::string& device, double now) {
    work.lost_with_nonce = nonce;
    store_.set_losses(work.open.id, ++work.open.losses);
    remember_error("vanished",
                   fmt::format("device '{}' vanished while measuring {:016x} ({} of {})", device,
                               work.open.id, work.open.losses, options_.crash_limit),
                   now);
}

void JobBoard::close(const Session& session, double now) {
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
    if (peer.said_goodbye)
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

void JobBoard::report_crash(Work& work, const std::string& device) {
    const std::uint64_t id = work.open.id;
    MeasurementResult crashed;
    crashed.status = Status::failed;
    crashed.device = device;
    crashed.reason = fmt::format("crashing: {} agents ended while measuring it", work.open.losses);
    conclude(id, crashed);
}

bool JobBoard::suits(const Peer& client, const Peer& agent) {
    return client.hello.device_class.empty() ||
           client.hello.device_class == agent.hello.device_class;
}

wire::LinkReport JobBoard::report_for(const Peer& client) const {
    const auto suitable = std::count_if(agents_.begin(), agents_.end(), [&](const auto& entry) {
        return suits(client, peers_.at(entry.second));
    });
    return {static_cast<std::uint32_t>(suitable), static_cast<std::uint32_t>(queue_.size())};
}

void JobBoard::disconnected(const Session& session, double now) { close(session, now); }

void JobBoard::dismiss(const Session& session, double now) {
    const auto found = peers_.find(session);
    if (found == peers_.end()) return;
    found->second.running = 0;
    rare_.warning("dismissed", fmt::format("'{}' may no longer connect", found->second.hello.name),
                  now);
    close(session, now);
}

void JobBoard::probe_sessions() {
    for (const auto& [session, peer] : peers_) send(session, wire::Heartbeat{});
}

bool JobBoard::dead(const Peer& peer, double now) const {
    const double silence = peer.running != 0 ? options_.quiet_dead_s : options_.peer_dead_s;
    return now - peer.last_seen > silence;
}

void JobBoard::tick(double now) {
    std::vector<Session> gone;
    for (const auto& [session, peer] : peers_)
        if (dead(peer, now)) gone.push_back(session);
    for (const Session& session : gone) close(session, now);

    if (reclaiming_ && now - started_at_ >= options_.reclaim_s) {
        reclaiming_ = false;
        for (const auto& [id, work] : work_)
            if (!work.holder && !queue_.contains(id)) enqueue(work);
    }
    check_leases(now);
    assign(now);
    if (reported_queue_ != queue_.size()) report_to_clients();
}

void JobBoard::check_leases(double now) {
    std::vector<std::uint64_t> over;
    for (const auto& [session, peer] : peers_)
        for (const std::uint64_t id : peer.held) {
            const auto found = work_.find(id);
            if (found == work_.end() || found->second.holder != session) continue;
            const Work& work = found->second;
            const bool unseen =
                now - work.leased > std::max(options_.waiting_lease_s, options_.quiet_dead_s);
            const bool endless = peer.running == id && work.started &&
                                 now - *work.started > options_.running_lease_s;
            if (unseen || endless) over.push_back(id);
        }
    for (const std::uint64_t id : over) {
        remember_error("lease", fmt::format("lease of {:016x} is over: back to the queue", id),
                       now);
        take_back(id);
    }
}

void JobBoard::drop_work(std::uint64_t id) {
    queue_.remove(id);
    work_.erase(id);
}

void JobBoard::send(const Session& to, wire::Message message, std::uint64_t request) {
    outgoing_.push_back({to, {std::move(message), request}});
}

void JobBoard::report_to_clients() {
    reported_queue_ = queue_.size();
    for (const auto& [name, session] : clients_) send(session, report_for(peers_.at(session)));
}

void JobBoard::remember_error(const std::string& kind, const std::string& text, double now) {
    const std::string line = printable(text.substr(0, longest_error));
    rare_.warning(kind, line, now);
    if (std::find(last_errors_.begin(), last_errors_.end(), line) != last_errors_.end()) return;
    last_errors_.push_back(line);
    if (last_errors_.size() > remembered_errors) last_errors_.pop_front();
}

std::vector<JobBoard::Outgoing> JobBoard::take_outgoing() {
    std::vector<Outgoing> taken;
    taken.swap(outgoing_);
    return taken;
}

/// The status as it fits into a message, whatever names peers have chosen.
std::string JobBoard::status_text(double now) const {
    Json json = status(now);
    const auto text = [&] { return json.dump(-1, ' ', false, Json::error_handler_t::replace); };
    std::string whole = text();
    for (const char* part : {"last_errors", "waiting", "clients", "devices"}) {
        if (whole.size() <= wire::max_status_bytes) break;
        json[part] = Json::array();
        json["left_out"].push_back(part);
        whole = text();
    }
    return whole;
}

/// Jobs no device has, by the class they ask for.
Json JobBoard::waiting_jobs() const {
    struct Line {
        std::size_t jobs = 0;
        std::set<std::string> searches;
    };
    std::map<std::string, Line> lines;
    for (const auto& [id, work] : work_) {
        if (work.holder) continue;
        Line& line = lines[work.open.job.device_class];
        ++line.jobs;
        for (const std::string& client : work.clients)
            if (line.searches.size() < most_named_searches) line.searches.insert(name_in(client));
    }
    Json waiting = Json::array();
    for (const auto& [wanted, line] : lines) {
        const auto devices = std::count_if(
            agents_.begin(), agents_.end(), [&wanted_class = wanted, this](const auto& agent) {
                return wanted_class.empty() ||
                       peers_.at(agent.second).hello.device_class == wanted_class;
            });
        waiting.push_back({{"class", wanted},
                           {"jobs", line.jobs},
                           {"devices", devices},
                           {"searches", line.searches}});
        if (waiting.size() == most_classes_shown) break;
    }
    return waiting;
}

Json JobBoard::status(double now) const {
    Json devices = Json::array();
    for (const auto& [name, session] : agents_) {
        const Peer& peer = peers_.at(session);
        const double up = std::max(now - peer.opened, 1e-9);
        devices.push_back({{"name", name},
                           {"class", peer.hello.device_class},
                           {"holding", peer.held.size()},
                           {"measuring", peer.running != 0},
                           {"measured", peer.measured},
                           {"busy_fraction", std::min(1.0, peer.busy_s / up)},
                           {"connected_s", up},
                           {"silent_s", now - peer.last_seen}});
    }
    std::map<std::string, std::size_t> waiting;
    for (const auto& [id, work] : work_)
        for (const std::string& client : work.clients) ++waiting[client];
    Json clients = Json::array();
    for (const auto& [client, session] : clients_) {
        clients.push_back({{"name", peers_.at(session).hello.name},
                           {"waiting_for", waiting[client]},
                           {"connected_s", now - peers_.at(session).opened}});
    }
    double per_minute = 0;
    if (finished_at_.size() > 1 && now > finished_at_.front())
        per_minute = 60.0 * static_cast<double>(finished_at_.size()) / (now - finished_at_.front());
    return {{"devices", devices},
            {"clients", clients},
            {"waiting", waiting_jobs()},
            {"queued", queue_.size()},
            {"open_jobs", work_.size()},
            {"results", store_.results()},
            {"answered_since_start", answered_},
            {"refused_answers", refused_answers_},
            {"answers_per_minute", per_minute},
            {"up_s", now - started_at_},
            {"last_errors", last_errors_}};
}

}  // namespace edgeloop
