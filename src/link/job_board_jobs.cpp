// What becomes of jobs: given to devices, answered, tried once more.
#include "link/fit.hpp"

#include "edgeloop/link/job_board.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t remembered_answers = 200;
constexpr std::size_t remembered_unsure = 10'000;
constexpr std::size_t max_tried = 8;  ///< devices that are remembered to have tried a job
/// For so long a job waits for another device than those that have tried it.
constexpr double prefer_others_s = 600, settling_s = 10;

bool is_answer(Status status) { return status == Status::completed || status == Status::failed; }

}  // namespace

/// Once for all messages that come together, because it looks at many jobs and devices.
void JobBoard::assign_soon(double now) {
    assign_due_ = true;
    assign_at_ = now;
}

void JobBoard::assign(double now) {
    if (queue_.size() == 0 || !store_.has_room()) return;
    const Takers takers = takers_now(now);
    std::vector<std::pair<const Session*, Peer*>> free;
    for (const auto& [name, session] : agents_) {
        Peer& agent = peers_.at(session);
        if (agent.held.size() < agent.credit) free.emplace_back(&session, &agent);
    }
    // Idle devices first, so that a job does not wait behind another while a device is free.
    for (std::uint32_t depth = 0; depth < max_credit && queue_.size() > 0; ++depth)
        for (const auto& [session, agent] : free) {
            if (agent->held.size() != depth || agent->held.size() >= agent->credit) continue;
            const auto may = [&, &device = agent->hello.name](std::uint64_t id) {
                return may_have(work_.at(id), device, takers, now);
            };
            if (const auto id = queue_.pick(agent->hello.device_class, may))
                send_job(*session, *agent, work_.at(*id), now);
        }
}

std::string JobBoard::device_of(const Peer& agent) {
    const std::string& key = agent.who.key;
    return key.empty() ? agent.hello.name : agent.hello.name + "\n" + key;
}

void JobBoard::send_job(const Session& to, Peer& agent, Work& work, double now) {
    work.holder = to;
    work.given = work.leased = now;
    work.started.reset();
    agent.held.insert(work.open.id);
    if (!was_given(work, agent)) {
        work.open.give_to(device_of(agent));
        store_.give_job(work.open.id, device_of(agent));
    }
    send(to, wire::Job{work.open.job}, work.open.id);
}

void JobBoard::enqueue(const Work& work) {
    const OpenJob& open = work.open;
    const std::string& wanted = open.job.device_class;
    if (work.clients.empty()) queue_.add(open.id, wanted, FairQueue::nobody, open.priority);
    for (const std::uint64_t number : work.clients)
        queue_.add(open.id, wanted, clients_.at(number).waiter, open.priority);
}

void JobBoard::started(const Session& from, Peer& peer, std::uint64_t id, double now) {
    const auto found = work_.find(id);
    if (found == work_.end() || found->second.holder != from) return;
    peer.running = id;
    if (!found->second.started) found->second.started = now;
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

void JobBoard::forget_loss(const Work& work) {
    const auto [first, last] = lost_.equal_range(work.lost_with_nonce);
    const auto mine =
        std::find_if(first, last, [&](const auto& entry) { return entry.second == work.open.id; });
    if (mine != last) lost_.erase(mine);
}

void JobBoard::count_loss(Work& work, const Peer& agent, double now) {
    forget_loss(work);
    work.lost_with_nonce = agent.hello.nonce;
    if (work.lost_with_nonce != 0) lost_.emplace(work.lost_with_nonce, work.open.id);
    prefer_others(work, agent.hello.name, now);
    store_.set_losses(work.open.id, ++work.open.losses);
    remember_error(
        "vanished",
        fmt::format("device '{}' vanished while measuring {:016x} ({} of {})", agent.hello.name,
                    work.open.id, work.open.losses, options_.crash_limit),
        now);
}

void JobBoard::check_leases(double now) {
    const double waiting_s = std::max(options_.waiting_lease_s, options_.quiet_dead_s);
    std::vector<std::uint64_t> over;
    for (const auto& [session, peer] : peers_)
        for (const std::uint64_t id : peer.held) {
            const auto found = work_.find(id);
            if (found == work_.end() || found->second.holder != session) continue;
            Work& work = found->second;
            const bool endless = peer.running == id && work.started &&
                                 now - *work.started > options_.running_lease_s;
            const bool hoarded = now - work.given > 2 * options_.running_lease_s;
            if (endless || hoarded) prefer_others(work, peer.hello.name, now);
            if (endless || hoarded || now - work.leased > waiting_s) over.push_back(id);
        }
    for (const std::uint64_t id : over) {
        remember_error("lease", fmt::format("lease of {:016x} is over: back to the queue", id),
                       now);
        take_back(id);
    }
}

/// Whether the device may answer or keep the job: it was sent to it, now or before an outage, a
/// restart of ours or a lease that ran out. The first answer of such a device counts.
bool JobBoard::was_given(const Work& work, const Peer& agent) {
    if (!suits(work.open.job.device_class, agent)) return false;
    const auto& given = work.open.given;
    return std::any_of(given.begin(), given.end(), [&](const std::string& device) {
        return device == device_of(agent) || device == agent.hello.name;
    });
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
    if (!store_.has_room()) return;  // not acknowledged, so the device says it again
    peer.held.erase(id);
    if (found == work_.end()) return send(from, wire::ResultAck{}, id);  // answered already
    Work& work = found->second;
    if (!is_answer(result.status)) {  // the device could not: someone else, or later
        if (work.holder != from) return send(from, wire::ResultAck{}, id);
        prefer_others(work, peer.hello.name, now);
        if (++work.failures < options_.device_tries) {
            take_back(id);
            return send(from, wire::ResultAck{}, id);
        }
        result.status = Status::lost;
    }
    result.device = peer.hello.name;
    const bool refused = refuse_impossible(result, &work.open.job, result.device);
    const bool is_its_own =
        result.status == Status::failed && result.failure_of == FailureOf::device;
    // One that no longer has it does not end what another is at, nor counts twice.
    if (is_its_own && work.holder != from &&
        (work.holder || work.tried_on.count(result.device) != 0))
        return send(from, wire::ResultAck{}, id);
    if (is_its_own && try_elsewhere(work, result.device, now)) {
        remember_error("failed",
                       fmt::format("{}: {}; another device tries", peer.hello.name, result.reason),
                       now);
        return send(from, wire::ResultAck{}, id);
    }
    if (refused) result.status = Status::lost;  // whoever asked may ask again
    ++peer.measured;
    peer.busy_s += std::clamp(result.seconds, 0.0, options_.running_lease_s);
    ++answered_;
    finished_at_.push_back(now);
    if (finished_at_.size() > remembered_answers) finished_at_.pop_front();
    if (result.status != Status::completed)
        remember_error("failed", fmt::format("{}: {}", peer.hello.name, result.reason), now);
    send(from, wire::ResultAck{}, id);
    conclude(id, result);
}

/// One that has just come says a moment later how many it takes.
bool JobBoard::takes_jobs(const Peer& agent, double now) {
    return agent.credit > 0 || now - agent.opened < settling_s;
}

JobBoard::Takers JobBoard::takers_now(double now) const {
    Takers takers;
    for (const auto& [name, session] : agents_) {
        const Peer& agent = peers_.at(session);
        if (!takes_jobs(agent, now)) continue;
        ++takers[agent.hello.device_class];
        if (!agent.hello.device_class.empty()) ++takers[""];
    }
    return takers;
}

bool JobBoard::untried_device_for(const Work& work, const Takers& takers, double now) const {
    const std::string& wanted = work.open.job.device_class;
    const auto all = takers.find(wanted);
    if (all == takers.end()) return false;
    const auto tried =
        std::count_if(work.tried_on.begin(), work.tried_on.end(), [&](const std::string& device) {
            const auto there = agents_.find(device);
            if (there == agents_.end()) return false;
            const Peer& agent = peers_.at(there->second);
            return takes_jobs(agent, now) && suits(wanted, agent);
        });
    return all->second > static_cast<std::size_t>(tried);
}

void JobBoard::prefer_others(Work& work, const std::string& device, double now) {
    if (work.tried_on.size() < max_tried) work.tried_on.insert(device);
    work.tried = now;
}

bool JobBoard::may_have(const Work& work, const std::string& device, const Takers& takers,
                        double now) const {
    return work.tried_on.count(device) == 0 || now - work.tried > prefer_others_s ||
           !untried_device_for(work, takers, now);
}

bool JobBoard::try_elsewhere(Work& work, const std::string& device, double now) {
    prefer_others(work, device, now);
    if (++work.failures >= options_.device_tries || !untried_device_for(work, takers_now(now), now))
        return false;
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
            std::set<std::string>& devices = unsure_[id] = work.tried_on;
            if (devices.size() < max_tried) devices.insert(result.device);
        }
    }
    answer(id, result, work.clients);
}

void JobBoard::answer(std::uint64_t id, const MeasurementResult& result,
                      const std::set<std::uint64_t>& clients) {
    for (const std::uint64_t number : clients)
        send(clients_.at(number).session, wire::Result{result}, id);
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

}  // namespace edgeloop
