#include "mpi_world.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/dispatch/worker.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <map>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using test::world;

Candidate candidate(CandidateId id) {
    Candidate made;
    made.id = id;
    made.generation = 3;
    made.index = std::uint32_t(id);
    made.genome.genes = {double(id), 0.5};
    made.seed = 1000 + id;
    made.epochs = 2;
    made.known["flops"] = 1e9;
    return made;
}

/// Runs `coordinate` on rank 0 while the others serve with `work`.
void with_workers(const GroupPlan& plan, const WorkerFunction& work,
                  const std::function<void(GroupEvaluator&)>& coordinate,
                  const DispatchOptions& options = {}) {
    if (world().rank() == 0) {
        GroupEvaluator evaluator(world(), plan, options);
        coordinate(evaluator);
        EXPECT_TRUE(evaluator.shutdown());
    } else {
        serve_candidates(world(), plan, work);
    }
    test::wait_for_all();
}

void with_workers(int ranks_per_candidate, const WorkerFunction& work,
                  const std::function<void(GroupEvaluator&)>& coordinate,
                  const DispatchOptions& options = {}) {
    with_workers(plan_groups(std::vector<RankBinding>(world().size()), ranks_per_candidate), work,
                 coordinate, options);
}

std::map<CandidateId, Outcome> evaluate(Evaluator& evaluator, CandidateId count) {
    std::map<CandidateId, Outcome> outcomes;
    CandidateId next = 1;
    BackOff pause;
    while (outcomes.size() < count) {
        while (next <= count && evaluator.free_slots() > 0) evaluator.submit(candidate(next++));
        const std::vector<Outcome> arrived = evaluator.poll();
        for (const Outcome& outcome : arrived)
            EXPECT_TRUE(outcomes.emplace(outcome.id, outcome).second) << outcome.id;
        arrived.empty() ? pause.wait() : pause.reset();
    }
    return outcomes;
}

Outcome wait_for_one(Evaluator& evaluator) {
    BackOff pause;
    for (;;) {
        const std::vector<Outcome> outcomes = evaluator.poll();
        if (!outcomes.empty()) return outcomes.front();
        pause.wait();
    }
}

int max_group() { return world().size() - 1; }

Outcome run_until_cancelled(const Candidate&, const Communicator& group, const CancelToken& token) {
    Outcome outcome;
    outcome.status = Status::cancelled;
    for (int step = 0;; ++step) {
        token.at("step " + std::to_string(step));
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (group.all_reduce(token.requested() ? 1 : 0, Reduction::max) > 0) return outcome;
    }
}

/// Groups of one rank that join, all that there are, for every third candidate.
void with_joining_workers(const WorkerFunction& work,
                          const std::function<void(GroupEvaluator&)>& coordinate) {
    GroupPlan plan = plan_groups(std::vector<RankBinding>(world().size()), 1);
    plan_blocks(plan, plan.groups.size());
    DispatchOptions options;
    options.is_large = [](const Candidate& one) { return one.id % 3 == 0; };
    with_workers(plan, work, coordinate, options);
}

TEST(Dispatch, GroupsJoinForALargeCandidateAndPartAfterwards) {
    with_joining_workers(
        [](const Candidate& one, const Communicator& group, const CancelToken&) {
            EXPECT_EQ(group.size(), one.id % 3 == 0 ? max_group() : 1) << one.id;
            Outcome outcome;
            outcome.metrics["sum"] = group.all_reduce(1.0, Reduction::sum);
            return outcome;
        },
        [](GroupEvaluator& evaluator) {
            for (const auto& [id, outcome] : evaluate(evaluator, 300)) {
                EXPECT_EQ(outcome.status, Status::completed);
                EXPECT_EQ(outcome.metrics.at("sum"), id % 3 == 0 ? max_group() : 1);
                EXPECT_EQ(int(outcome.ranks.size()), id % 3 == 0 ? max_group() : 1);
            }
        });
}

TEST(Dispatch, ALargeCandidateIsCancelledWaitingRunningAndAtTheEnd) {
    with_joining_workers(run_until_cancelled, [](GroupEvaluator& evaluator) {
        evaluator.submit(candidate(3));
        EXPECT_EQ(evaluator.free_slots(), 0u);
        evaluator.submit(candidate(6));  // waits for the first
        EXPECT_EQ(evaluator.free_slots(), 0u);
        evaluator.cancel(6);
        EXPECT_EQ(wait_for_one(evaluator).id, 6u);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        EXPECT_TRUE(evaluator.poll().empty());
        evaluator.cancel(3);
        const Outcome cancelled = wait_for_one(evaluator);
        EXPECT_EQ(cancelled.id, 3u);
        EXPECT_EQ(cancelled.status, Status::cancelled);
        EXPECT_GT(evaluator.free_slots(), 0u);
        evaluator.submit(candidate(9));  // runs when the workers are shut down
    });
}

TEST(Dispatch, AFailureOnTheLastRankOfJoinedGroupsIsTheCandidates) {
    with_joining_workers(
        [](const Candidate& one, const Communicator& group, const CancelToken&) {
            if (one.id == 3 && group.rank() == group.size() - 1)
                throw std::runtime_error("no memory left");
            return Outcome{};
        },
        [](GroupEvaluator& evaluator) {
            const auto outcomes = evaluate(evaluator, 7);
            for (const auto& [id, outcome] : outcomes)
                EXPECT_EQ(outcome.status, id == 3 ? Status::failed : Status::completed) << id;
            EXPECT_NE(outcomes.at(3).reason.find("no memory left"), std::string::npos);
        });
}

TEST(Dispatch, EveryCandidateReachesAWholeGroupAndComesBackOnce) {
    for (int size = 1; size <= max_group(); ++size)
        with_workers(
            size,
            [&](const Candidate& one, const Communicator& group, const CancelToken&) {
                EXPECT_EQ(group.size(), size);
                EXPECT_EQ(one.genome.genes, (std::vector<double>{double(one.id), 0.5}));
                EXPECT_EQ(one.seed, 1000 + one.id);
                EXPECT_EQ(one.known.at("flops"), 1e9);
                Outcome outcome;
                outcome.metrics["sum"] = group.all_reduce(double(one.id), Reduction::sum);
                outcome.metrics["leader"] = world().rank();
                outcome.curve = {{1, 0.1, {{"train_loss", double(one.id)}}, 0}};
                return outcome;
            },
            [&](GroupEvaluator& evaluator) {
                const auto outcomes = evaluate(evaluator, 300);
                for (const auto& [id, outcome] : outcomes) {
                    EXPECT_EQ(outcome.status, Status::completed);
                    EXPECT_EQ(outcome.metrics.at("sum"), double(id) * size);
                    EXPECT_EQ(int(outcome.ranks.size()), size);
                    EXPECT_EQ(outcome.metrics.at("leader"), outcome.ranks.front());
                    ASSERT_EQ(outcome.curve.size(), 1u);
                    EXPECT_EQ(outcome.curve[0].metrics.at("train_loss"), double(id));
                }
            });
}

TEST(Dispatch, ShortCandidatesAreQueuedUnlessOneAtATimeIsAskedFor) {
    for (const bool one_at_a_time : {false, true}) {
        DispatchOptions options;
        options.one_at_a_time = one_at_a_time;
        const GroupPlan plan = plan_groups(std::vector<RankBinding>(world().size()), 1);
        const auto work = [](const Candidate&, const Communicator&, const CancelToken&) {
            Outcome outcome;
            outcome.seconds = 1e-6;
            return outcome;
        };
        with_workers(
            plan, work,
            [&](GroupEvaluator& evaluator) {
                EXPECT_EQ(evaluate(evaluator, 400).size(), 400u);
                if (one_at_a_time)
                    EXPECT_EQ(evaluator.free_slots(), plan.groups.size());
                else
                    EXPECT_GT(evaluator.free_slots(), plan.groups.size());
            },
            options);
    }
}

TEST(Dispatch, AFailureOnAnyRankOfAGroupIsTheCandidatesAndTheGroupGoesOn) {
    const int failing = max_group() - 1;
    with_workers(
        max_group(),
        [&](const Candidate& one, const Communicator& group, const CancelToken&) {
            if (one.id == 2 && group.rank() == failing) throw std::runtime_error("no memory left");
            if (one.id == 3 && group.rank() == failing) throw IoError("no space left");
            return Outcome{};
        },
        [&](GroupEvaluator& evaluator) {
            const auto outcomes = evaluate(evaluator, 4);
            EXPECT_EQ(outcomes.at(1).status, Status::completed);
            EXPECT_EQ(outcomes.at(2).status, Status::failed);
            EXPECT_NE(outcomes.at(2).reason.find("no memory left"), std::string::npos);
            EXPECT_EQ(outcomes.at(3).status, Status::lost) << "the system's failure";
            EXPECT_EQ(outcomes.at(4).status, Status::completed);
        });
}

TEST(Dispatch, CancelReachesARunningGroup) {
    with_workers(max_group(), run_until_cancelled, [](GroupEvaluator& evaluator) {
        evaluator.submit(candidate(1));
        EXPECT_EQ(evaluator.free_slots(), 0u);
        EXPECT_TRUE(evaluator.poll().empty());
        evaluator.cancel(1);
        EXPECT_EQ(wait_for_one(evaluator).status, Status::cancelled);
        evaluator.submit(candidate(1));  // the same id again is not cancelled by the old request
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        EXPECT_TRUE(evaluator.poll().empty());
    });
}

TEST(Dispatch, ACandidatePastItsLimitTimesOut) {
    DispatchOptions options;
    options.candidate_limit_s = 0.05;
    with_workers(
        1, run_until_cancelled,
        [](GroupEvaluator& evaluator) {
            evaluator.submit(candidate(1));
            const Outcome outcome = wait_for_one(evaluator);
            EXPECT_EQ(outcome.status, Status::timed_out) << outcome.reason;
        },
        options);
}

TEST(Dispatch, IdleWorkersSleep) {
    const double before = double(std::clock()) / CLOCKS_PER_SEC;
    with_workers(
        1, [](const Candidate&, const Communicator&, const CancelToken&) { return Outcome{}; },
        [](GroupEvaluator& evaluator) {
            const double until = steady_seconds() + 1;
            while (steady_seconds() < until) {
                EXPECT_TRUE(evaluator.poll().empty());
                std::this_thread::sleep_for(std::chrono::milliseconds(2));
            }
        });
    EXPECT_LT(double(std::clock()) / CLOCKS_PER_SEC - before, 0.25);
}

TEST(Dispatch, TheCoordinatorTakesWhatTheGroupsCannot) {
    const WorkerFunction work = [](const Candidate&, const Communicator& group,
                                   const CancelToken&) {
        EXPECT_EQ(group.size(), 1);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        Outcome outcome;
        outcome.metrics["rank"] = world().rank();
        return outcome;
    };
    const GroupPlan plan = plan_groups(std::vector<RankBinding>(world().size()), 1);
    if (world().rank() == 0) {
        GroupEvaluator evaluator(world(), plan, {}, work);
        EXPECT_EQ(evaluator.free_slots(), std::size_t(world().size()));
        std::map<int, int> by_rank;
        for (const auto& [id, outcome] : evaluate(evaluator, 30))
            ++by_rank[int(outcome.metrics.at("rank"))];
        for (int rank = 0; rank < world().size(); ++rank) EXPECT_GT(by_rank[rank], 0) << rank;
    } else {
        serve_candidates(world(), plan, work);
    }
    test::wait_for_all();
}

TEST(Dispatch, AStalledGroupIsGivenUpAndTheOthersGoOn) {
    if (world().size() < 3) return;
    DispatchOptions options;
    options.silence_limit_s = 0.2;
    with_workers(
        1,
        [](const Candidate& one, const Communicator&, const CancelToken& token) {
            token.at("somewhere");
            if (one.id == 1) std::this_thread::sleep_for(std::chrono::milliseconds(1500));
            return Outcome{};
        },
        [](GroupEvaluator& evaluator) {
            const auto outcomes = evaluate(evaluator, 20);
            EXPECT_EQ(outcomes.at(1).status, Status::timed_out) << outcomes.at(1).reason;
            EXPECT_NE(outcomes.at(1).reason.find("rank 1"), std::string::npos);
            for (CandidateId id = 2; id <= 20; ++id)
                EXPECT_EQ(outcomes.at(id).status, Status::completed) << id;
        },
        options);
}

}  // namespace
}  // namespace edgeloop
