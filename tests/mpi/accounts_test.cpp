// Groups that fail what others complete.
#include "mpi_world.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/dispatch/worker.hpp"
#include "edgeloop/search/analytic.hpp"
#include "edgeloop/search/coordinator.hpp"
#include "edgeloop/search/run_store.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using test::world;

constexpr std::uint64_t evaluations = 200;

/// Calls that a rank answers by throwing at once; the rank that is broken has a number of them.
class Ill {
  public:
    explicit Ill(int rank, int calls) : rank_(rank), left_(calls) {}
    void maybe_throw() {
        if (world().rank() != rank_) return;
        ++calls_;
        if (left_ == 0) return;
        --left_;
        if (calls_ % 2 == 0) throw IoError("the device is gone");
        throw std::runtime_error("the device is broken");
    }
    /// Candidates that the broken rank was given. Collective.
    [[nodiscard]] double calls() const { return world().all_reduce(calls_, Reduction::max); }

  private:
    int rank_, left_, calls_ = 0;
};

constexpr int always = 1 << 30;

void search_or_serve(const GroupPlan& plan, const DispatchOptions& options,
                     const WorkerFunction& work,
                     const std::function<void(GroupEvaluator&)>& coordinate) {
    if (world().rank() == 0) {
        GroupEvaluator evaluator(world(), plan, options);
        coordinate(evaluator);
        EXPECT_TRUE(evaluator.shutdown());
    } else {
        serve_candidates(world(), plan, work);
    }
    test::wait_for_all();
}

/// The front of a search, on rank 0.
std::map<CandidateId, Metrics> front(Ill& ill, std::map<Status, std::uint64_t>& ends) {
    const Problem problem = find_problem("zdt1");
    EngineSettings settings;
    settings.kind = EngineKind::generational;
    settings.population = 20;
    settings.evaluations = evaluations;
    settings.goals = goals_of(problem);
    settings.analytic = true;
    DispatchOptions options;
    options.accounts.probe_after_s = 3600;
    std::map<CandidateId, Metrics> members;
    search_or_serve(
        plan_groups(std::vector<RankBinding>(world().size()), 1), options,
        [&](const Candidate& candidate, const Communicator&, const CancelToken&) {
            ill.maybe_throw();
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            return evaluate(problem, candidate);
        },
        [&](GroupEvaluator& evaluator) {
            const auto engine = make_engine(problem.space(), settings);
            NullRunStore store;
            const SearchResult result = run_search(*engine, evaluator, nullptr, store);
            for (const ArchiveMember& member : result.front)
                members[member.completed.candidate.id] = member.completed.metrics;
            ends.insert(result.progress.by_status.begin(), result.progress.by_status.end());
        });
    return members;
}

TEST(Accounts, ARankThatFailsEveryCandidateIsTakenOutAndTheFrontIsTheSame) {
    const int broken = world().size() - 1;
    Ill healthy(broken, 0), ill(broken, always);
    std::map<Status, std::uint64_t> ends, ends_with_ill;
    const auto expected = front(healthy, ends);
    const auto found = front(ill, ends_with_ill);
    EXPECT_EQ(found, expected);
    EXPECT_EQ(ends_with_ill, ends) << "no candidate was lost to it";
    if (world().rank() == 0) {
        EXPECT_EQ(ends.at(Status::completed), evaluations);
        EXPECT_GT(expected.size(), 3u);
    }
    EXPECT_LE(ill.calls(), 5);
    EXPECT_GT(ill.calls(), 0);
}

TEST(Accounts, ARankComesBackWhenAProbePasses) {
    const int broken = world().size() - 1;
    Ill ill(broken, 4);  // is taken out, fails one probe
    DispatchOptions options;
    options.accounts.probe_after_s = 0.05;
    search_or_serve(
        plan_groups(std::vector<RankBinding>(world().size()), 1), options,
        [&](const Candidate&, const Communicator&, const CancelToken&) {
            ill.maybe_throw();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            Outcome outcome;
            outcome.metrics["rank"] = world().rank();
            return outcome;
        },
        [&](GroupEvaluator& evaluator) {
            // Until the rank has done ten: it is back, and no longer gets one now and then.
            int done_by_it = 0;
            Candidate next;
            BackOff pause;
            while (done_by_it < 10) {
                while (evaluator.free_slots() > 0) {
                    ++next.id;
                    evaluator.submit(next);
                }
                for (const Outcome& outcome : evaluator.poll()) {
                    EXPECT_EQ(outcome.status, Status::completed) << outcome.reason;
                    if (outcome.metrics.at("rank") == broken) ++done_by_it;
                }
                pause.wait();
            }
        });
    EXPECT_GE(ill.calls(), 14);
}

TEST(Accounts, ACandidateThatFailsEverywhereFailsAndNobodyIsTakenOut) {
    search_or_serve(
        plan_groups(std::vector<RankBinding>(world().size()), 1), {},
        [&](const Candidate& one, const Communicator&, const CancelToken&) {
            if (one.id % 2 == 0) throw std::runtime_error("a bad design");
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            Outcome outcome;
            outcome.metrics["rank"] = world().rank();
            return outcome;
        },
        [&](GroupEvaluator& evaluator) {
            std::map<CandidateId, Outcome> outcomes;
            std::set<int> late_ranks;
            Candidate next;
            BackOff pause;
            while (late_ranks.size() + 1 < std::size_t(world().size()) || outcomes.size() < 200) {
                while (evaluator.free_slots() > 0) {
                    ++next.id;
                    evaluator.submit(next);
                }
                for (const Outcome& outcome : evaluator.poll()) {
                    EXPECT_TRUE(outcomes.emplace(outcome.id, outcome).second) << outcome.id;
                    const bool bad = outcome.id % 2 == 0;
                    EXPECT_EQ(outcome.status, bad ? Status::failed : Status::completed);
                    if (!bad && outcome.id > 200)
                        late_ranks.insert(int(outcome.metrics.at("rank")));
                }
                pause.wait();
            }
        });
}

TEST(Accounts, WhenEveryGroupFailsEverythingEachCandidateEndsAndIsToldSo) {
    search_or_serve(
        plan_groups(std::vector<RankBinding>(world().size()), 1), {},
        [](const Candidate&, const Communicator&, const CancelToken&) -> Outcome {
            throw IoError("the disk is full");
        },
        [&](GroupEvaluator& evaluator) {
            std::set<CandidateId> ended;
            Candidate next;
            BackOff pause;
            while (ended.size() < 30) {
                while (next.id < 30 && evaluator.free_slots() > 0) {
                    ++next.id;
                    evaluator.submit(next);
                }
                for (const Outcome& outcome : evaluator.poll()) {
                    EXPECT_EQ(outcome.status, Status::lost);
                    EXPECT_NE(outcome.reason.find("the disk is full"), std::string::npos);
                    EXPECT_TRUE(ended.insert(outcome.id).second);
                }
                pause.wait();
            }
        });
}

}  // namespace
}  // namespace edgeloop
