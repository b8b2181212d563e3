#include "edgeloop/dispatch/group_evaluator.hpp"

#include "group.hpp"
#include "group_accounts.hpp"
#include "guarded_run.hpp"
#include "large_candidates.hpp"
#include "messages.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/dispatch/local_evaluator.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include <fmt/ranges.h>

namespace edgeloop {
struct GroupEvaluator::Impl {
    Impl(const Communicator& all, const GroupPlan& plan, const DispatchOptions& limits,
         WorkerFunction own_work)
        : world(all),
          options(limits),
          idle(plan.idle),
          groups(groups_of(plan, limits.one_at_a_time ? QueueDepth(1) : QueueDepth())),
          accounts(labels_of(plan, bool(own_work)), limits.accounts),
          large(plan.blocks, groups, accounts) {
        if (own_work)
            local = make_local_evaluator(std::move(own_work), limits.candidate_limit_s,
                                         limits.paused_s, limits.one_at_a_time);
        EDGELOOP_EXPECT(world.rank() == 0 && !plan.groups.empty(),
                        "a group evaluator lives on rank 0 and needs a group");
        (void)world.split(-1);  // groups
        (void)world.split(-1);  // blocks
        if (!idle.empty())
            log::warning("ranks {} do not fill a group of {} and stay idle", fmt::join(idle, ", "),
                         groups.front().ranks.size());
    }

    [[nodiscard]] std::size_t index_of(const Group& group) const {
        return std::size_t(&group - groups.data());
    }

    void flush(Group& group) {
        if (group.unsent.empty()) return;
        if (group.running.empty()) group.front_begins(steady_seconds(), paused());
        Assignment work{std::exchange(group.unsent, {}), false};
        world.send(group.leader(), int(MessageTag::assign), encode(work));
        std::move(work.candidates.begin(), work.candidates.end(),
                  std::back_inserter(group.running));
    }

    /// Gives large candidates the blocks that are idle.
    void serve_large() {
        for (const auto& [block, candidate] : large.begin_those_that_can()) {
            groups[block->front()].front_begins(steady_seconds(), paused());
            groups[block->front()].running.push_back(candidate);
            const std::string bytes = encode(Assignment{{candidate}, true});
            for (const std::size_t member : *block)
                world.send(groups[member].leader(), int(MessageTag::assign), bytes);
        }
        for (const Candidate& candidate : large.take_impossible())
            report_lost(candidate.id, "too large for the groups that have not stalled");
    }

    /// The group whose ranks hold this one, or nullptr.
    Group* group_with(int rank) {
        for (Group& group : groups)
            if (std::count(group.ranks.begin(), group.ranks.end(), rank) > 0) return &group;
        return nullptr;
    }

    void receive_all() {
        while (const auto message = world.try_receive()) take(*message);
    }

    void take(const ReceivedMessage& message) {
        if (Group* group = group_with(message.source)) group->heard_s = steady_seconds();
        switch (MessageTag(message.tag)) {
            case MessageTag::results:
                take_results(*group_with(message.source), message.bytes);
                break;
            case MessageTag::heartbeat:
                places[message.source] = message.bytes;
                break;
            case MessageTag::ended:
                left.insert(message.source);
                break;
            default:
                log::warning("ignored a message with tag {} from rank {}", message.tag,
                             message.source);
        }
    }

    void take_results(Group& group, const std::string& bytes) {
        if (group.stalled) return;  // its candidates have been reported already
        for (Outcome& outcome : decode<std::vector<Outcome>>(bytes)) {
            EDGELOOP_EXPECT(!group.running.empty() && group.running.front().id == outcome.id,
                            "a group answers in the order in which it was asked");
            Candidate candidate = std::move(group.running.front());
            group.running.pop_front();
            const bool alone = !group.joined;
            outcome.ranks = large.ranks_of(group);
            large.part(group);
            if (outcome.status == Status::completed && alone) group.depth.learn(outcome.seconds);
            if (group.timed_out && outcome.status == Status::cancelled) {
                outcome.status = Status::timed_out;
                outcome.reason = past_limit_text(options.candidate_limit_s);
            }
            group.front_begins(steady_seconds(), paused());
            if (alone)
                settle(index_of(group), std::move(candidate), std::move(outcome));
            else
                settle_joined(group, std::move(outcome));
        }
    }

    /// Reports an outcome, or has the candidate tried again elsewhere.
    void settle(std::size_t account, Candidate candidate, Outcome outcome) {
        if (accounts.counts(account, outcome, steady_seconds()))
            done.push_back(std::move(outcome));
        else
            again.push_back({std::move(candidate), std::move(outcome)});
    }

    /// Which of the groups is to blame is unknown, unless one has been found out already.
    void settle_joined(const Group& first, Outcome outcome) {
        if (accounts.is_quick_failure(outcome) && !large.trusted(large.block_of(first)))
            outcome.status = Status::lost;
        done.push_back(std::move(outcome));
    }

    /// Gives what failed at once to other groups, before anything new.
    void try_again() {
        for (std::size_t waiting = again.size(); waiting > 0; --waiting) {
            Retry retry = std::move(again.front());
            again.pop_front();
            const CandidateId id = retry.candidate.id;
            if (!accounts.has_others(id)) {  // they have stalled meanwhile
                accounts.forget(id);
                done.push_back(std::move(retry.failure));
            } else if (!hand_out(retry.candidate, [&](std::size_t group) {
                           return accounts.may_retry(id, group);
                       })) {
                again.push_back(std::move(retry));
            }
        }
    }

    /// Gives a candidate to the least busy group of those that may have it. False: to none.
    template <class May>
    bool hand_out(const Candidate& candidate, const May& may) {
        Group* best = nullptr;
        for (Group& group : groups)
            if (group.room() > 0 && (best == nullptr || group.load() < best->load()) &&
                may(index_of(group)))
                best = &group;
        if (best == nullptr) {
            if (!local || local->free_slots() == 0 || !may(groups.size())) return false;
            note_probe(groups.size());
            local_candidates[candidate.id] = candidate;
            local->submit(candidate);
            return true;
        }
        note_probe(index_of(*best));
        best->unsent.push_back(candidate);
        if (best->depth.value() == 1 || !best->trusted) flush(*best);
        return true;
    }

    void note_probe(std::size_t account) {
        if (!accounts.trusted(account)) accounts.probed(account, steady_seconds());
    }

    /// Whether a group, or rank 0 behind them, may have a candidate that has not failed anywhere.
    [[nodiscard]] bool takes_new(std::size_t account, double now) const {
        return accounts.trusted(account) || accounts.probe_due(account, now);
    }

    void take_local() {
        for (Outcome& outcome : local->poll()) {
            const auto found = local_candidates.find(outcome.id);
            Candidate candidate = std::move(found->second);
            local_candidates.erase(found);
            outcome.ranks = {0};
            settle(groups.size(), std::move(candidate), std::move(outcome));
        }
    }

    [[nodiscard]] double paused() const { return options.paused_s ? options.paused_s() : 0; }

    void cancel_front(Group& group) {
        group.cancelled_s = steady_seconds();
        world.send(group.leader(), int(MessageTag::cancel), encode(group.running.front().id));
    }

    /// Ends what runs too long and gives up groups that no longer answer.
    void watch(Group& group) {
        if (group.stalled || group.running.empty()) return;
        const double now = steady_seconds();
        const auto past = [now](double since, double limit) {
            return limit > 0 && now - since > limit;
        };
        if (group.cancelled_s == 0 &&
            past(group.started_s + paused() - group.paused_s, options.candidate_limit_s)) {
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
        const std::vector<int> ranks = large.ranks_of(group);
        for (Group& each : groups) {
            const bool with_it = group.joined && each.block == group.block;
            if (&each != &group && !with_it) continue;
            each.stalled = true;
            accounts.gone(index_of(each));
        }
        std::string where;
        for (const int rank : ranks)
            where += fmt::format("{}rank {}: {}", where.empty() ? "" : ", ", rank,
                                 places.count(rank) > 0 ? places[rank] : "no place reported");
        log::error("gave up a stalled group: {} ({}); going on without ranks {}", why, where,
                   fmt::join(ranks, ", "));
        const CandidateId id = group.running.front().id;
        done.push_back({id,
                        Status::timed_out,
                        {},
                        fmt::format("its group stalled: {} ({})", why, where),
                        steady_seconds() - group.started_s});
        accounts.forget(id);
        group.running.pop_front();
        const char* const lost = "its group stalled before it began";
        for (const Candidate& candidate : group.running) report_lost(candidate.id, lost);
        for (const Candidate& candidate : group.unsent) report_lost(candidate.id, lost);
        group.running.clear();
        group.unsent.clear();
    }

    void report_lost(CandidateId id, const char* why) {
        accounts.forget(id);
        done.push_back({id, Status::lost, {}, why});
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
    std::unique_ptr<Evaluator> local;  ///< what rank 0 evaluates itself, or nullptr
    std::vector<int> idle;
    std::vector<Group> groups;
    /// Failed at once on a group and not yet on enough of them.
    struct Retry {
        Candidate candidate;
        Outcome failure;
    };
    std::deque<Retry> again;
    std::map<CandidateId, Candidate> local_candidates;  ///< that rank 0 holds itself
    GroupAccounts accounts;
    LargeCandidates large;
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
        log::error("workers could not be shut down: {}", error.what());
    }
}

std::size_t GroupEvaluator::free_slots() const {
    const double now = steady_seconds();
    std::size_t room = 0;
    for (const Group& group : impl_->groups)
        if (impl_->takes_new(impl_->index_of(group), now)) room += group.room();
    if (impl_->local && impl_->takes_new(impl_->groups.size(), now))
        room += impl_->local->free_slots();
    return room;
}

void GroupEvaluator::submit(const Candidate& candidate) {
    const auto& is_large = impl_->options.is_large;
    if (is_large && impl_->large.have_blocks() && is_large(candidate)) {
        impl_->large.add(candidate);
        return impl_->serve_large();
    }
    const double now = steady_seconds();
    const bool found = impl_->hand_out(
        candidate, [&](std::size_t account) { return impl_->takes_new(account, now); });
    EDGELOOP_EXPECT(found, "submit() needs a free slot");
}

bool GroupEvaluator::waits(CandidateId id) const { return impl_->large.waits(id); }

void GroupEvaluator::cancel(CandidateId id) {
    if (impl_->local) impl_->local->cancel(id);
    if (impl_->large.remove(id)) {
        impl_->done.push_back(cancelled_before_start(id));
        return impl_->serve_large();
    }
    const auto retry = std::find_if(impl_->again.begin(), impl_->again.end(),
                                    [id](const auto& each) { return each.candidate.id == id; });
    if (retry != impl_->again.end()) {
        impl_->accounts.forget(id);
        impl_->done.push_back(cancelled_before_start(id));
        impl_->again.erase(retry);
        return;
    }
    for (Group& group : impl_->groups) {
        impl_->flush(group);
        const auto found = std::find_if(group.running.begin(), group.running.end(),
                                        [id](const Candidate& each) { return each.id == id; });
        if (found == group.running.end()) continue;
        if (found == group.running.begin())
            impl_->cancel_front(group);
        else
            impl_->world.send(group.leader(), int(MessageTag::cancel), encode(id));
    }
}

std::vector<Outcome> GroupEvaluator::poll() {
    impl_->receive_all();
    for (Group& group : impl_->groups) {
        impl_->watch(group);
        impl_->flush(group);
    }
    if (impl_->local) impl_->take_local();
    for (Group& group : impl_->groups)
        group.trusted = impl_->accounts.trusted(impl_->index_of(group));
    impl_->serve_large();
    impl_->try_again();
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
        if (waited > impl.options.shutdown_limit_s) break;
        if (waited > impl.options.stalled_shutdown_limit_s && impl.only_stalled_stay()) break;
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
