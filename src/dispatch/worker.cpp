#include "edgeloop/dispatch/worker.hpp"

#include "guarded_run.hpp"
#include "messages.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/log.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {
namespace {

constexpr int coordinator = 0;
constexpr double results_interval_s = 2e-3;
/// Sent earlier than that, so that the coordinator has something to do while the rest is evaluated.
constexpr std::size_t results_at_once = 128;
constexpr double heartbeat_interval_s = 0.5;
constexpr double flush_limit_s = 10;

/// What the coordinator has told this rank so far.
class Inbox {
  public:
    explicit Inbox(const Communicator& world) : world_(world) {}

    /// Takes in every message that is here.
    void drain() {
        while (const auto message = world_.try_receive()) take(*message);
    }
    /// Waits until there is a candidate or the run ends.
    void wait_for_work() {
        drain();
        while (queue_.empty() && !shutdown_) {
            take(world_.receive());
            drain();
        }
    }
    [[nodiscard]] bool shutdown() const { return shutdown_; }
    [[nodiscard]] bool empty() const { return queue_.empty(); }
    /// At shutdown a rank leaves out the work of its own group. What several groups have been told
    /// to do together is done, if only to end at once: another group may have begun.
    void forget_own_work() {
        queue_.erase(std::remove_if(queue_.begin(), queue_.end(),
                                    [](const Assignment& a) { return !a.joined; }),
                     queue_.end());
    }
    [[nodiscard]] bool is_cancelled(CandidateId id) const {
        return shutdown_ || cancelled_.count(id) > 0;
    }
    /// One candidate.
    Assignment next() {
        Assignment assignment = std::move(queue_.front());
        queue_.pop_front();
        return assignment;
    }

  private:
    void take(const ReceivedMessage& message) {
        switch (MessageTag(message.tag)) {
            case MessageTag::assign: {
                Assignment assignment = decode<Assignment>(message.bytes);
                for (Candidate& candidate : assignment.candidates) {
                    cancelled_.erase(candidate.id);  // meant an earlier rung of it
                    queue_.push_back({{std::move(candidate)}, assignment.joined});
                }
                break;
            }
            case MessageTag::cancel:
                cancelled_.insert(decode<CandidateId>(message.bytes));
                break;
            case MessageTag::shutdown:
                shutdown_ = true;
                break;
            default:
                log::warning("ignored a message with tag {} from rank {}", message.tag,
                             message.source);
        }
    }

    const Communicator& world_;
    std::deque<Assignment> queue_;
    std::set<CandidateId> cancelled_;
    bool shutdown_ = false;
};

/// The token of a leader, which listens to the coordinator, or of a member, which does not. Tells
/// the coordinator where this rank is: at the first place of each candidate, then now and then.
class WorkerToken : public CancelToken {
  public:
    /// @param inbox  of a leader; a member has none.
    WorkerToken(const Communicator& world, Inbox* inbox, CandidateId id)
        : world_(world), inbox_(inbox), id_(id) {}

    [[nodiscard]] bool requested() const override {
        if (inbox_ == nullptr) return false;
        inbox_->drain();
        return inbox_->is_cancelled(id_);
    }
    [[nodiscard]] bool will_resume() const override {
        return inbox_ != nullptr && inbox_->shutdown();
    }
    void at(const std::string& place) const override {
        if (steady_seconds() - told_ < heartbeat_interval_s) return;
        told_ = steady_seconds();
        world_.send(coordinator, int(MessageTag::heartbeat),
                    "candidate " + std::to_string(id_) + ", " + place);
    }

  private:
    const Communicator& world_;
    Inbox* inbox_;
    CandidateId id_;
    mutable double told_ = -heartbeat_interval_s;
};

/// Runs a candidate on all ranks of the group; a failure on any of them is the candidate's.
Outcome run_in_group(const WorkerFunction& run, const Candidate& candidate,
                     const Communicator& group, const CancelToken& token) {
    Outcome outcome = guarded_run(run, candidate, group, token);
    if (group.size() == 1) return outcome;
    const bool lost = outcome.status == Status::lost;
    const bool failed = lost || outcome.status == Status::failed;
    const std::vector<std::string> failures =
        group.all_gather(failed ? (lost ? 'l' : 'f') + outcome.reason : std::string());
    for (std::size_t rank = 0; !failed && rank < failures.size(); ++rank) {
        if (failures[rank].empty()) continue;
        outcome.status = failures[rank].front() == 'l' ? Status::lost : Status::failed;
        outcome.metrics.clear();
        outcome.reason =
            "rank " + std::to_string(rank) + " of the group: " + failures[rank].substr(1);
        break;
    }
    return outcome;
}

/// The groups a rank works in.
struct Groups {
    Communicator own;
    std::optional<Communicator> block;  ///< the groups that join its own for large candidates

    [[nodiscard]] const Communicator& of(const Assignment& assignment) const {
        return assignment.joined ? *block : own;
    }
};

void lead(const Communicator& world, const Groups& groups, const WorkerFunction& run) {
    Inbox inbox(world);
    std::vector<Outcome> outcomes;  // several to a message when they are quick
    double sent = 0;
    const auto flush = [&] {
        if (outcomes.empty()) return;
        world.send(coordinator, int(MessageTag::results), encode(std::exchange(outcomes, {})));
        sent = steady_seconds();
    };
    const auto answer = [&](Outcome outcome) {
        outcomes.push_back(std::move(outcome));
        if (outcomes.size() >= results_at_once || steady_seconds() - sent > results_interval_s)
            flush();
    };
    for (;;) {
        if (inbox.empty()) flush();
        inbox.wait_for_work();
        if (inbox.shutdown()) inbox.forget_own_work();
        if (inbox.empty()) break;
        const Assignment assignment = inbox.next();
        const Candidate& candidate = assignment.candidates.front();
        if (!assignment.joined && inbox.is_cancelled(candidate.id)) {
            answer(cancelled_before_start(candidate.id));
            continue;
        }
        if (groups.own.size() > 1) {
            std::string bytes = encode(assignment);
            groups.own.broadcast(bytes, 0);
        }
        const Communicator& group = groups.of(assignment);
        const bool leads = group.rank() == 0;
        Outcome outcome = run_in_group(run, candidate, group,
                                       WorkerToken(world, leads ? &inbox : nullptr, candidate.id));
        if (leads) answer(std::move(outcome));
    }
    std::string nothing = encode(Assignment{});
    groups.own.broadcast(nothing, 0);
}

void follow(const Communicator& world, const Groups& groups, const WorkerFunction& run) {
    for (;;) {
        std::string bytes;
        groups.own.broadcast(bytes, 0);
        const Assignment assignment = decode<Assignment>(bytes);
        if (assignment.candidates.empty()) return;
        const Candidate& candidate = assignment.candidates.front();
        (void)run_in_group(run, candidate, groups.of(assignment),
                           WorkerToken(world, nullptr, candidate.id));
    }
}

}  // namespace

void serve_candidates(const Communicator& world, const GroupPlan& plan, const WorkerFunction& run) {
    const std::optional<Communicator> own = world.split(plan.group_of(world.rank()));
    const std::optional<Communicator> block = world.split(plan.block_of(world.rank()));
    if (own) {
        const Groups groups{*own, block};
        own->rank() == 0 ? lead(world, groups, run) : follow(world, groups, run);
    } else {
        Inbox(world).wait_for_work();
    }
    world.send(coordinator, int(MessageTag::ended), "");
    world.flush(flush_limit_s);
}

}  // namespace edgeloop
