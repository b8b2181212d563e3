#include "edgeloop/dispatch/group_evaluator.hpp"

#include "guarded_run.hpp"
#include "messages.hpp"
#include "queue_depth.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/dispatch/local_evaluator.hpp"

#include <algorithm>
#include <deque>
#include <limits>
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
    bool reserved = false;  ///< for a large candidate that waits
    bool lent = false;      ///< works under the first group of its block
    bool joined = false;    ///< the others of its block work under it
    std::size_t block = none;

    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    [[nodiscard]] int leader() const { return ranks.front(); }
    [[nodiscard]] std::size_t load() const { return unsent.size() + running.size(); }
    [[nodiscard]] std::size_t room() const {
        if (stalled || reserved || lent || joined || load() >= depth.value()) return 0;
        return depth.value() - load();
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
        if (own_work)
            local = std::make_unique<LocalEvaluator>(std::move(own_work), limits.candidate_limit_s);
        EDGELOOP_EXPECT(world.rank() == 0 && !plan.groups.empty(),
                        "a group evaluator lives on rank 0 and needs a group");
        (void)world.split(-1);  // groups
        (void)world.split(-1);  // blocks
        for (const std::vector<int>& ranks : plan.groups) groups.push_back({ranks, {}, {}, {}});
        blocks = plan.blocks;
        for (std::size_t i = 0; i < blocks.size(); ++i)
            for (const std::size_t member : blocks[i]) groups[member].block = i;
        if (!idle.empty())
            log::warning("ranks {} do not fill a group of {} and stay idle", fmt::join(idle, ", "),
                         groups.front().ranks.size());
    }

    void flush(Group& group) {
        if (group.unsent.empty()) return;
        if (group.running.empty()) group.front_begins(steady_seconds());
        world.send(group.leader(), int(MessageTag::assign),
                   encode_assignment({group.unsent, false}));
        for (const Candidate& candidate : group.unsent) group.running.push_back(candidate.id);
        group.unsent.clear();
    }

    [[nodiscard]] bool is_large(const Candidate& candidate) const {
        return options.is_large && !blocks.empty() && options.is_large(candidate);
    }

    /// Candidates that this block still has to do before it can join.
    [[nodiscard]] std::size_t load_of(const std::vector<std::size_t>& block) const {
        std::size_t load = 0;
        for (const std::size_t member : block)
            load += groups[member].load() + (groups[member].lent ? 1 : 0);
        return load;
    }

    [[nodiscard]] bool can_join(const std::vector<std::size_t>& block) const {
        return std::none_of(block.begin(), block.end(),
                            [this](std::size_t member) { return groups[member].stalled; });
    }

    /// Gives large candidates the blocks that are idle, and keeps others free for those that wait:
    /// as many as wait, the ones that will be idle soonest.
    void serve_large() {
        for (Group& group : groups) group.reserved = false;
        if (large.empty()) return;
        std::vector<const std::vector<std::size_t>*> able;
        for (const auto& block : blocks)
            if (can_join(block)) able.push_back(&block);
        if (able.empty()) return fail_large();
        std::stable_sort(able.begin(), able.end(), [this](const auto* a, const auto* b) {
            return load_of(*a) < load_of(*b);
        });
        std::size_t reserved = 0;
        for (const auto* block : able) {
            if (large.empty()) return;
            if (load_of(*block) == 0)
                join(*block);
            else if (reserved < large.size() && !groups[block->front()].joined) {
                for (const std::size_t member : *block) groups[member].reserved = true;
                ++reserved;
            }
        }
    }

    void join(const std::vector<std::size_t>& block) {
        const Candidate candidate = std::move(large.front());
        large.pop_front();
        Group& first = groups[block.front()];
        first.joined = true;
        first.running.push_back(candidate.id);
        first.front_begins(steady_seconds());
        const std::string bytes = encode_assignment({{candidate}, true});
        for (const std::size_t member : block) {
            groups[member].lent = member != block.front();
            world.send(groups[member].leader(), int(MessageTag::assign), bytes);
        }
    }

    void part(Group& first) {
        if (!first.joined) return;
        first.joined = false;
        for (const std::size_t member : blocks[first.block]) groups[member].lent = false;
    }

    void fail_large() {
        for (const Candidate& candidate : large) {
            Outcome outcome;
            outcome.id = candidate.id;
            outcome.status = Status::lost;
            outcome.reason = "too large for the groups that have not stalled";
            done.push_back(outcome);
        }
        large.clear();
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
            const bool alone = !group.joined;
            part(group);
            if (outcome.status == Status::completed && alone) group.depth.learn(outcome.seconds);
            if (group.timed_out && outcome.status == Status::cancelled) {
                outcome.status = Status::timed_out;
                outcome.reason = past_limit_text(options.candidate_limit_s);
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
        std::vector<int> ranks;
        for (Group& each : groups) {
            const bool with_it = group.joined && each.block == group.block;
            if (&each != &group && !with_it) continue;
            each.stalled = true;
            ranks.insert(ranks.end(), each.ranks.begin(), each.ranks.end());
        }
        std::string where;
        for (const int rank : ranks)
            where += fmt::format("{}rank {}: {}", where.empty() ? "" : ", ", rank,
                                 places.count(rank) > 0 ? places[rank] : "no place reported");
        log::error("gave up a stalled group: {} ({}); going on without ranks {}", why, where,
                   fmt::join(ranks, ", "));
        Outcome stalled;
        stalled.id = group.running.front();
        stalled.status = Status::timed_out;
        stalled.reason = fmt::format("its group stalled: {} ({})", why, where);
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

    /// Whether all have left but those whose group stalled, who may never answer.
    [[nodiscard]] bool only_stalled_stay() const {
        const auto gone = [this](int rank) { return left.count(rank) > 0; };
        return std::all_of(idle.begin(), idle.end(), gone) &&
               std::all_of(groups.begin(), groups.end(), [&](const Group& group) {
                   return group.stalled ||
                          std::all_of(group.ranks.begin(), group.ranks.end(), gone);
               });
    }

    Communicator world;
    DispatchOptions options;
    std::unique_ptr<LocalEvaluator> local;  ///< what rank 0 evaluates itself, or nullptr
    std::vector<int> idle;
    std::vector<Group> groups;
    std::vector<std::vector<std::size_t>> blocks;  ///< of groups that may join
    std::deque<Candidate> large;                   ///< waiting for a block
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
    if (impl_->is_large(candidate)) {
        impl_->large.push_back(candidate);
        return impl_->serve_large();
    }
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
    std::deque<Candidate>& large = impl_->large;
    const auto waiting = std::find_if(large.begin(), large.end(),
                                      [id](const Candidate& each) { return each.id == id; });
    if (waiting != large.end()) {
        impl_->done.push_back(cancelled_before_start(id));
        large.erase(waiting);
        return impl_->serve_large();
    }
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
    impl_->serve_large();
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
    const double start = steady_seconds();
    BackOff pause;
    while (!impl.everyone_left()) {
        const double waited = steady_seconds() - start;
        if (waited > impl.options.goodbye_limit_s) break;
        if (waited > impl.options.stalled_goodbye_limit_s && impl.only_stalled_stay()) break;
        pause.wait();
    }
    if (impl.everyone_left()) return true;
    for (int rank = 1; rank < impl.world.size(); ++rank)
        if (impl.left.count(rank) == 0)
            log::error("rank {} does not answer; last place: {}", rank,
                       impl.places.count(rank) > 0 ? impl.places[rank] : "none reported");
    return false;
}

}  // namespace edgeloop
