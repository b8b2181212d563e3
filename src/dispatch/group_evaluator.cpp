#include "edgeloop/dispatch/group_evaluator.hpp"

#include "messages.hpp"
#include "queue_depth.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/dispatch/local_evaluator.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include <fmt/ranges.h>

namespace edgeloop {
namespace {

/// A group as the coordinator sees it.
struct Group {
    std::vector<int> ranks;
    std::vector<Candidate> unsent;
    std::deque<CandidateId> running;  ///< sent, in the order in which they are evaluated
    QueueDepth depth;
    double started_s = 0;    ///< when the front of `running` began
    double heard_s = 0;      ///< when the group last said anything
    double cancelled_s = 0;  ///< when the front of `running` was cancelled; 0: it was not
    bool timed_out = false;  ///< the front of `running` ran past its limit
    bool stalled = false;

    [[nodiscard]] int leader() const { return ranks.front(); }
    [[nodiscard]] std::size_t load() const { return unsent.size() + running.size(); }
    [[nodiscard]] std::size_t room() const {
        return stalled || load() >= depth.value() ? 0 : depth.value() - load();
    }
    void front_begins(double now) {
        started_s = heard_s = now;
        cancelled_s = 0;
        timed_out = false;
    }
};

}  // namespace

struct GroupEvaluator::Impl {
    Impl(const Communicator& all, const GroupPlan& plan, const DispatchOptions& limits,
         WorkerFunction own_work)
        : world(all), options(limits), idle(plan.idle) {
        if (own_work) local = std::make_unique<LocalEvaluator>(std::move(own_work));
        EDGELOOP_EXPECT(world.rank() == 0 && !plan.groups.empty(),
                        "a group evaluator lives on rank 0 and needs a group");
        (void)world.split(-1);
        for (const std::vector<int>& ranks : plan.groups) groups.push_back({ranks, {}, {}, {}});
        if (!idle.empty())
            log::warning("ranks {} do not fill a group of {} and stay idle", fmt::join(idle, ", "),
                         groups.front().ranks.size());
    }

    void flush(Group& group) {
        if (group.unsent.empty()) return;
        if (group.running.empty()) group.front_begins(steady_seconds());
        world.send(group.leader(), int(MessageTag::assign), encode_candidates(group.unsent));
        for (const Candidate& candidate : group.unsent) group.running.push_back(candidate.id);
        group.unsent.clear();
    }

    /// The group whose ranks hold this one, or nullptr.
    Group* group_with(int rank) {
        const auto found = std::find_if(groups.begin(), groups.end(), [rank](const Group& group) {
            return std::count(group.ranks.begin(), group.ranks.end(), rank) > 0;
        });
        return found == groups.end() ? nullptr : &*found;
    }

    void receive_all() {
        while (const auto message = world.try_receive()) take(*message);
    }

    void take(const ReceivedMessage& message) {
        if (Group* group = group_with(message.source)) group->heard_s = steady_seconds();
        switch (MessageTag(message.tag)) {
            case MessageTag::results:
                take_results(*group_with(message.source), decode_outcomes(message.bytes));
                break;
            case MessageTag::place:
                places[message.source] = message.bytes;
                break;
            case MessageTag::goodbye:
                left.insert(message.source);
                break;
            default:
                log::warning("ignored a message with tag {} from rank {}", message.tag,
                             message.source);
        }
    }

    void take_results(Group& group, std::vector<Outcome> outcomes) {
        if (group.stalled) return;  // its candidates have been reported already
        for (Outcome& outcome : outcomes) {
            EDGELOOP_EXPECT(!group.running.empty() && group.running.front() == outcome.id,
                            "a group answers in the order in which it was asked");
            group.running.pop_front();
            if (outcome.status == Status::completed) group.depth.learn(outcome.seconds);
            if (group.timed_out && outcome.status == Status::cancelled) {
                outcome.status = Status::failed;
                outcome.reason = fmt::format("time-out: not done after {:.0f} s, the limit",
                                             options.candidate_limit_s);
            }
            group.front_begins(steady_seconds());
            done.push_back(std::move(outcome));
        }
    }

    void cancel_front(Group& group) {
        group.cancelled_s = steady_seconds();
        world.send(group.leader(), int(MessageTag::cancel), encode_id(group.running.front()));
    }

    /// Ends what runs too long and gives up groups that no longer answer.
    void watch(Group& group) {
        if (group.stalled || group.running.empty()) return;
        const double now = steady_seconds();
        const auto past = [now](double since, double limit) {
            return limit > 0 && now - since > limit;
        };
        if (group.cancelled_s == 0 && past(group.started_s, options.candidate_limit_s)) {
            group.timed_out = true;
            cancel_front(group);
        }
        if (past(group.heard_s, options.silence_limit_s))
            give_up(group, fmt::format("nothing heard for {:.0f} s", now - group.heard_s));
        else if (group.cancelled_s > 0 && past(group.cancelled_s, options.cancel_grace_s))
            give_up(group, fmt::format("did not end within {:.0f} s of being cancelled",
                                       now - group.cancelled_s));
    }

    void give_up(Group& group, const std::string& why) {
        group.stalled = true;
        std::string where;
        for (const int rank : group.ranks)
            where += fmt::format("{}rank {}: {}", where.empty() ? "" : ", ", rank,
                                 places.count(rank) > 0 ? places[rank] : "no place reported");
        log::error("gave up a stalled group: {} ({}); going on without ranks {}", why, where,
                   fmt::join(group.ranks, ", "));
        Outcome stalled;
        stalled.id = group.running.front();
        stalled.status = Status::failed;
        stalled.reason = fmt::format("time-out: its group stalled, {} ({})", why, where);
        stalled.seconds = steady_seconds() - group.started_s;
        done.push_back(stalled);
        group.running.pop_front();
        for (const CandidateId id : group.running) report_lost(id);
        for (const Candidate& candidate : group.unsent) report_lost(candidate.id);
        group.running.clear();
        group.unsent.clear();
    }

    void report_lost(CandidateId id) {
        Outcome outcome;
        outcome.id = id;
        outcome.status = Status::lost;
        outcome.reason = "its group stalled before it began";
        done.push_back(outcome);
    }

    [[nodiscard]] bool all_stalled() const {
        return std::all_of(groups.begin(), groups.end(), [](const Group& g) { return g.stalled; });
    }

    bool everyone_left() {
        receive_all();
        return int(left.size()) == world.size() - 1;
    }

    Communicator world;
    DispatchOptions options;
    std::unique_ptr<LocalEvaluator> local;  ///< what rank 0 evaluates itself, or nullptr
    std::vector<int> idle;
    std::vector<Group> groups;
    std::vector<Outcome> done;
    std::map<int, std::string> places;
    std::set<int> left;
    bool shut_down = false;
};

GroupEvaluator::GroupEvaluator(const Communicator& world, const GroupPlan& plan,
                               const DispatchOptions& options, WorkerFunction own_work)
    : impl_(std::make_unique<Impl>(world, plan, options, std::move(own_work))) {}

GroupEvaluator::~GroupEvaluator() {
    try {
        shutdown();
    } catch (const std::exception& error) {
        log::error("workers could not be sent home: {}", error.what());
    }
}

std::size_t GroupEvaluator::free_slots() const {
    std::size_t room = impl_->local ? impl_->local->free_slots() : 0;
    for (const Group& group : impl_->groups) room += group.room();
    return room;
}

void GroupEvaluator::submit(const Candidate& candidate) {
    Group* best = nullptr;
    for (Group& group : impl_->groups)
        if (group.room() > 0 && (best == nullptr || group.load() < best->load())) best = &group;
    if (best == nullptr && impl_->local && impl_->local->free_slots() > 0)
        return impl_->local->submit(candidate);
    EDGELOOP_EXPECT(best != nullptr, "submit() needs a free slot");
    best->unsent.push_back(candidate);
    if (best->depth.value() == 1) impl_->flush(*best);
}

void GroupEvaluator::cancel(CandidateId id) {
    if (impl_->local) impl_->local->cancel(id);
    for (Group& group : impl_->groups) {
        impl_->flush(group);
        const auto found = std::find(group.running.begin(), group.running.end(), id);
        if (found == group.running.end()) continue;
        if (found == group.running.begin())
            impl_->cancel_front(group);
        else
            impl_->world.send(group.leader(), int(MessageTag::cancel), encode_id(id));
    }
}

std::vector<Outcome> GroupEvaluator::poll() {
    impl_->receive_all();
    for (Group& group : impl_->groups) {
        impl_->watch(group);
        impl_->flush(group);
    }
    if (impl_->local)
        for (Outcome& outcome : impl_->local->poll()) impl_->done.push_back(std::move(outcome));
    if (impl_->done.empty() && impl_->all_stalled())
        throw CommError("every worker group has stalled", "nobody is left to train",
                        "see the places above, then run again with --resume");
    return std::exchange(impl_->done, {});
}

bool GroupEvaluator::shutdown() {
    Impl& impl = *impl_;
    impl.local.reset();
    if (!impl.shut_down) {
        for (const Group& group : impl.groups)
            impl.world.send(group.leader(), int(MessageTag::shutdown), "");
        for (const int rank : impl.idle) impl.world.send(rank, int(MessageTag::shutdown), "");
        impl.shut_down = true;
    }
    const double until = steady_seconds() + impl.options.goodbye_limit_s;
    BackOff pause;
    while (!impl.everyone_left() && steady_seconds() < until) pause.wait();
    if (impl.everyone_left()) return true;
    for (int rank = 1; rank < impl.world.size(); ++rank)
        if (impl.left.count(rank) == 0)
            log::error("rank {} does not answer; last place: {}", rank,
                       impl.places.count(rank) > 0 ? impl.places[rank] : "none reported");
    return false;
}

}  // namespace edgeloop
