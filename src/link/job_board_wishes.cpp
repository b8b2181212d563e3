// What searches want measured: accepted within their shares, waited for, cancelled, dropped,
// expired.

#include "edgeloop/core/text.hpp"
#include "edgeloop/link/job_board.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

using limits::wait_bytes;

constexpr std::size_t max_classes_seen = 1024;
constexpr double max_look_s = 60;  ///< between two looks at what has expired
constexpr double day_s = 86'400;

/// Of a job about a model also its files, whether or not others are about them, too.
std::uint64_t weight_of(const MeasurementJob& job) {
    std::uint64_t bytes =
        job.spec.size() + job.settings.size() + job.device_class.size() + limits::job_bytes;
    for (const FileName& file : files_of(job)) bytes += file.bytes;
    return bytes;
}

}  // namespace

/// The job is part of the share of `owner` from now on; of nobody's, if that is not known.
void JobBoard::charge(Work& work, const std::string& owner) {
    if (owner.empty()) return;
    work.open.owner = owner;
    jobs_.take(owner);
    bytes_.take(owner, weight_of(work.open.job));
}

bool JobBoard::open_job(const Peer& peer, std::uint64_t id, const wire::Submit& message,
                        double now) {
    if (!store_.trouble().empty()) return false;
    if (!jobs_.may_take(peer.owner) ||
        !bytes_.may_take(peer.owner, weight_of(message.job) + wait_bytes)) {
        remember_error(
            "share",
            fmt::format("'{}' has its share of the queue: more has to wait", peer.hello.name), now);
        return false;
    }
    Work& work = work_[id];
    work.open.id = id;
    work.open.job = message.job;
    work.open.priority = message.priority;
    work.since = work.wanted = work.tried = now;
    if (const auto unsure = unsure_.find(id); unsure != unsure_.end())
        work.tried_on = unsure->second;
    charge(work, peer.owner);
    use_files(work.open.job);
    store_.add_job(work.open);
    return true;
}

void JobBoard::submit(const Session& from, const Peer& peer, std::uint64_t id,
                      const wire::Submit& message, double now) {
    if (id != request_id(message.job))
        return send(from, wire::Refused{"the request id does not belong to the job"}, id);
    if (message.job.device_class != printable(message.job.device_class))
        return send(from, wire::Refused{"a class of devices has printable characters"}, id);
    if (!wishes_.spend(peer.owner, 1, now)) return send(from, wire::Busy{}, id);
    if (const auto stored = store_.result(id); stored && is_lasting(*stored)) {
        wishes_.owe(peer.owner,
                    static_cast<double>(stored->record.size()) / limits::bytes_that_count, now);
        send(from, wire::Accepted{}, id);
        return send(from, wire::Result{*stored}, id);
    }
    const auto known = work_.find(id);
    const bool is_new = known == work_.end();
    if (!is_new && !(known->second.open.job == message.job))
        return send(from, wire::Refused{"another job has the same number"}, id);
    if (is_new && !has_files(from, peer, id, message, now)) return;
    if (is_new && !open_job(peer, id, message, now)) return send(from, wire::Busy{}, id);
    Work& work = work_.at(id);
    Client& client = clients_.at(peer.client);
    if (work.clients.count(peer.client) == 0) {
        if (!is_new && !bytes_.may_take(peer.owner, wait_bytes))
            return send(from, wire::Busy{}, id);
        bytes_.take(peer.owner, wait_bytes);
        work.clients.insert(peer.client);
        client.wants.insert(id);
    }
    if (work.open.owner.empty()) charge(work, peer.owner);
    if (!work.holder) queue_.add(id, work.open.job.device_class, client.waiter, message.priority);
    send(from, wire::Accepted{}, id);
    assign_soon(now);
}

void JobBoard::stop_waiting(Work& work, std::uint64_t number, double now) {
    Client& client = clients_.at(number);
    if (work.clients.erase(number) == 0) return;
    client.wants.erase(work.open.id);
    bytes_.give_back(client.owner, wait_bytes);
    queue_.leave(work.open.id, client.waiter);
    if (work.clients.empty()) work.wanted = now;
}

void JobBoard::cancel(const Peer& peer, std::uint64_t id, double now) {
    end_upload({peer.client, id});
    const auto found = work_.find(id);
    if (found == work_.end()) return;
    Work& work = found->second;
    const bool waits = work.clients.count(peer.client) != 0;
    if (waits) stop_waiting(work, peer.client, now);
    // It may have been said over an earlier connection that it is wanted.
    const bool is_its_own = work.open.owner == peer.owner || (waits && work.open.owner.empty());
    // What a device has already got runs to its end: the answer is kept for whoever asks next.
    if (is_its_own && work.clients.empty() && !work.holder) {
        store_.drop_job(id);
        drop_work(id);
    }
}

void JobBoard::drop_work(std::uint64_t id) {
    const auto found = work_.find(id);
    if (found == work_.end()) return;
    const Work& work = found->second;
    for (const std::uint64_t number : work.clients) {
        Client& client = clients_.at(number);
        client.wants.erase(id);
        bytes_.give_back(client.owner, wait_bytes);
    }
    if (!work.open.owner.empty()) {
        jobs_.give_back(work.open.owner);
        bytes_.give_back(work.open.owner, weight_of(work.open.job));
    }
    leave_files(work.open.job);
    forget_loss(work);
    queue_.remove(id);
    work_.erase(found);
}

bool JobBoard::is_chosen(const Work& work, std::uint64_t id, const wire::Drop& what) const {
    const auto is_called_so = [&](std::uint64_t number) {
        return clients_.at(number).name == what.owner;
    };
    return (id == 0 || work.open.id == id) &&
           (what.device_class.empty() || work.open.job.device_class == what.device_class) &&
           (what.owner.empty() ||
            std::any_of(work.clients.begin(), work.clients.end(), is_called_so));
}

/// Who is no operator drops what is his own and nobody else waits for.
bool JobBoard::may_drop(const Peer& peer, const Work& work) const {
    if (peer.who.may_drop_any) return true;
    return work.open.owner == peer.owner &&
           std::all_of(work.clients.begin(), work.clients.end(), [&](std::uint64_t number) {
               return clients_.at(number).owner == peer.owner;
           });
}

void JobBoard::drop(const Session& from, std::uint64_t id, const wire::Drop& what, double now) {
    const Peer& peer = peers_.at(from);
    if (!questions_.spend(peer.owner, 1, now))
        return send(from, wire::Refused{"this peer asks too often; it is answered later"});
    std::vector<std::uint64_t> dropped;
    std::size_t of_others = 0;
    for (const auto& [job, work] : work_) {
        if (!is_chosen(work, id, what)) continue;
        if (may_drop(peer, work))
            dropped.push_back(job);
        else
            ++of_others;
    }
    for (const std::uint64_t job : dropped)  // whoever asks for it later starts it anew
        conclude(job, {{0, Status::failed, {}, "dropped at the bridge by its operator"}});
    if (of_others > 0)
        remember_error("not dropped",
                       fmt::format("'{}' may not drop {} of others: its key is no operator's",
                                   peer.hello.name, plural(of_others, "job")),
                       now);
    if (of_others == 0 || !dropped.empty())
        remember_error(
            "dropped",
            fmt::format("'{}' dropped {}", peer.hello.name, plural(dropped.size(), "job")), now);
    send(from, wire::Dropped{static_cast<std::uint32_t>(dropped.size())}, id);
}

/// A device of this class is here.
void JobBoard::note_class(const std::string& device_class, double now) {
    class_seen_[device_class] = class_seen_[""] = now;
    if (class_seen_.size() <= max_classes_seen) return;
    class_seen_.erase(
        std::min_element(class_seen_.begin(), class_seen_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; }));
}

/// Why a job that no device has is given up; empty: it is not.
std::string JobBoard::expiry_of(const Work& work, double now) const {
    const double days = options_.expire_s / day_s;
    if (work.clients.empty() && now - work.wanted > options_.expire_s)
        return fmt::format("expired: no search has waited for it for {:g} days", days);
    const auto seen = class_seen_.find(work.open.job.device_class);
    const double last = seen == class_seen_.end() ? work.since : std::max(work.since, seen->second);
    if (now - last > options_.expire_s)
        return fmt::format("expired: no device of class '{}' has been here for {:g} days",
                           work.open.job.device_class, days);
    return {};
}

void JobBoard::expire(double now) {
    if (options_.expire_s <= 0 || now < next_expiry_) return;
    next_expiry_ = now + std::min(max_look_s, options_.expire_s / 4);
    for (const auto& [name, session] : agents_)
        note_class(peers_.at(session).hello.device_class, now);
    std::map<std::uint64_t, std::string> over;
    for (const auto& [id, work] : work_)
        if (!work.holder)
            if (std::string why = expiry_of(work, now); !why.empty())
                over.emplace(id, std::move(why));
    if (over.empty()) return;
    remember_error("expired",
                   fmt::format("{} dropped, such as {:016x}: {}", plural(over.size(), "job"),
                               over.begin()->first, over.begin()->second),
                   now);
    for (const auto& [id, why] : over) conclude(id, {{0, Status::lost, {}, why}});
}

}  // namespace edgeloop
