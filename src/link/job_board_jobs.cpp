// What becomes of jobs: given to devices, answered, tried once more, dropped.
#include "link/fit.hpp"

#include "edgeloop/core/text.hpp"
#include "edgeloop/link/job_board.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_given = 32;  ///< devices that are remembered of one job
constexpr std::size_t remembered_answers = 200;
constexpr std::size_t remembered_unsure = 10'000;

bool is_answer(Status status) { return status == Status::completed || status == Status::failed; }

}  // namespace

void JobBoard::assign(double now) {
    // Idle devices first, so that a job does not wait behind another while a device is free.
    for (std::uint32_t depth = 0; depth < max_credit && queue_.size() > 0; ++depth)
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
        if (given.size() >= max_given) given.erase(given.begin());
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

/// No device has it any more.
void JobBoard::release(Work& work) {
    const auto holder = work.holder ? peers_.find(*work.holder) : peers_.end();
    if (holder != peers_.end()) holder->second.held.erase(work.open.id);
    work.holder.reset();
    work.started.reset();
}

void JobBoard::take_back(std::uint64_t id) {
    Work& work = work_.at(id);
    release(work);
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

/// Whether the device may answer or keep the job: it was sent to it, now or before an outage, a
/// restart of ours or a lease that ran out. The first answer of such a device counts.
bool JobBoard::was_given(const Work& work, const Peer& agent) {
    if (!suits(work.open.job.device_class, agent)) return false;
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
    const bool refused = refuse_impossible(result, &work.open.job, result.device);
    if (result.status == Status::failed && result.failure_of == FailureOf::device &&
        try_elsewhere(work, result.device)) {
        remember_error("failed",
                       fmt::format("{}: {}; another device tries", peer.hello.name, result.reason),
                       now);
        return send(from, wire::ResultAck{}, id);
    }
    if (refused) result.status = Status::lost;  // whoever asked may ask again
    ++peer.measured;
    peer.busy_s += result.seconds;
    ++answered_;
    finished_at_.push_back(now);
    if (finished_at_.size() > remembered_answers) finished_at_.pop_front();
    if (result.status != Status::completed)
        remember_error("failed", fmt::format("{}: {}", peer.hello.name, result.reason), now);
    send(from, wire::ResultAck{}, id);
    conclude(id, result);
}

bool JobBoard::untried_device_for(const Work& work) const {
    return std::any_of(agents_.begin(), agents_.end(), [&](const auto& entry) {
        return work.tried_on.count(entry.first) == 0 &&
               suits(work.open.job.device_class, peers_.at(entry.second));
    });
}

bool JobBoard::try_elsewhere(Work& work, const std::string& device) {
    work.tried_on.insert(device);
    if (++work.failures >= options_.device_tries || !untried_device_for(work)) return false;
    take_back(work.open.id);
    return true;
}

void JobBoard::conclude(std::uint64_t id, const MeasurementResult& result) {
    release(work_.at(id));
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

void JobBoard::report_crash(Work& work, const std::string& device) {
    conclude(work.open.id,
             {{0,
               Status::failed,
               {},
               fmt::format("crashing: {} agents ended while measuring it", work.open.losses),
               0,
               device}});
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
    for (const std::uint64_t job : dropped)  // whoever asks for it later starts it anew
        conclude(job, {{0, Status::failed, {}, "dropped at the bridge by its operator"}});
    remember_error(
        "dropped",
        fmt::format("'{}' dropped {}", peers_.at(from).hello.name, plural(dropped.size(), "job")),
        now);
    send(from, wire::Dropped{static_cast<std::uint32_t>(dropped.size())}, id);
}

}  // namespace edgeloop
