// Every way a candidate can fail, in one search over two groups of three ranks.
#include "mpi_world.hpp"
#include "store/journal.hpp"
#include "support/places.hpp"
#include "support/shared_dataset.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/search/coordinator.hpp"
#include "edgeloop/store/run_directory.hpp"
#include "edgeloop/training/trainer.hpp"

#include <chrono>
#include <map>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using test::world;
using testing::HasSubstr;

constexpr CandidateId diverges = 2, needs_too_much = 4, throws = 6, hangs = 8, is_unlucky = 9;
constexpr CandidateId last = 14;

/// Passes everything on and does harm on one rank of the group in the second step.
class HarmfulToken : public CancelToken {
  public:
    HarmfulToken(const CancelToken& inner, CandidateId id, int rank)
        : inner_(inner), id_(id), rank_(rank) {}
    [[nodiscard]] bool requested() const override { return inner_.requested(); }
    [[nodiscard]] bool will_resume() const override { return inner_.will_resume(); }
    void at(const std::string& place) const override {
        inner_.at(place);
        if (place != "training, epoch 0 step 1") return;
        if (id_ == throws && rank_ == 1) throw std::runtime_error("injected");
        if (id_ == hangs && rank_ == 2) std::this_thread::sleep_for(std::chrono::seconds(12));
        static int attempts = 0;
        if (id_ == is_unlucky && rank_ == 1 && attempts++ == 0) throw IoError("a disk is away");
    }

  private:
    const CancelToken& inner_;
    CandidateId id_;
    int rank_;
};

Candidate with_fault(Candidate candidate) {
    if (candidate.id == diverges)
        return test::small_candidate(
            R"({"optimizer":"sgd","learning_rate":1000,"batch":2,"epochs":40})", 5);
    if (candidate.id != needs_too_much) return candidate;
    ArchitectureSpec spec = candidate.design->spec();
    spec.clip.frames = 16;
    spec.clip.side = 224;
    spec.training.batch = 65536;
    candidate.design = Design::of(std::move(spec));
    return candidate;
}

struct End {
    Status status = Status::completed;
    std::string reason;
    int begun = 0;  ///< trainings of it
};

std::map<CandidateId, End> ends_in(const std::string& journal) {
    std::map<CandidateId, End> ends;
    for (const Event& event : read_journal(journal).events) {
        if (const auto* started = std::get_if<TrainingStarted>(&event)) ++ends[started->id].begun;
        if (const auto* told = std::get_if<Told>(&event)) {
            ends[told->completed.candidate.id].status = told->completed.status;
            ends[told->completed.candidate.id].reason = told->completed.reason;
        }
    }
    return ends;
}

/// Rank 0's part: the search. Gives what the journal says afterwards.
std::map<CandidateId, End> search(const GroupPlan& plan) {
    const test::TemporaryFolder folder;
    const SearchSpace space = SearchSpace::from_file(test::test_data("tiny_space.json"));
    EngineSettings settings;
    settings.kind = EngineKind::random;
    settings.population = 4;
    settings.evaluations = last;
    settings.goals.objectives = {"val_rmse"};
    const auto engine = make_engine(space, settings);
    RunDirectoryOptions directory;
    directory.path = folder.path("run");
    directory.engine = engine.get();
    const auto store = open_run(directory);
    DispatchOptions limits;
    limits.silence_limit_s = 4;
    limits.stalled_shutdown_limit_s =
        40;  // the rank that hangs comes back, so that the test can end
    limits.shutdown_limit_s = 40;
    GroupEvaluator evaluator(world(), plan, limits);
    EXPECT_EQ(run_search(*engine, evaluator, nullptr, *store).progress.done, last);
    EXPECT_TRUE(evaluator.shutdown());
    return ends_in(folder.path("run/journal.jsonl"));
}

class FailuresTest : public test::SharedDatasetTest {};

TEST_F(FailuresTest, AllInOneSearchAndEachUnderItsClass) {
    const GroupPlan plan = plan_groups(std::vector<RankBinding>(world().size()), 3);
    if (world().rank() > 0) {
        const Trainer trainer(test::cpu_settings(shards()));
        serve_candidates(
            world(), plan,
            [&](const Candidate& candidate, const Communicator& group, const CancelToken& token) {
                return trainer.train(with_fault(candidate), group,
                                     HarmfulToken(token, candidate.id, group.rank()));
            });
        return;
    }
    const std::map<CandidateId, End> ends = search(plan);
    ASSERT_EQ(ends.size(), last);
    const std::map<CandidateId, std::pair<Status, std::string>> expected{
        {diverges, {Status::failed, "the loss is not finite"}},
        {needs_too_much, {Status::failed, "out of memory"}},
        {throws, {Status::failed, "rank 1 of the group: injected"}},
        {hangs, {Status::timed_out, "candidate 8, "}}};
    for (const auto& [id, end] : ends) {
        const auto fault = expected.find(id);
        EXPECT_EQ(end.status, fault == expected.end() ? Status::completed : fault->second.first)
            << id << ": " << end.reason;
        if (fault != expected.end()) {
            EXPECT_THAT(end.reason, HasSubstr(fault->second.second));
        }
        // What is not the candidate's fault is tried again, and nothing else is.
        EXPECT_EQ(end.begun, id == is_unlucky ? 2 : 1) << id;
    }
    EXPECT_THAT(ends.at(hangs).reason, HasSubstr("rank "));
}

}  // namespace
}  // namespace edgeloop
