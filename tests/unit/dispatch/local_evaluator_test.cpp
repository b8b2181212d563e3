#include "edgeloop/dispatch/local_evaluator.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <atomic>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::local_evaluator_test {
namespace {

Candidate candidate(CandidateId id) {
    Candidate made;
    made.id = id;
    return made;
}

std::vector<Outcome> wait_for(Evaluator& evaluator, std::size_t count) {
    std::vector<Outcome> all;
    BackOff pause;
    while (all.size() < count) {
        for (Outcome& outcome : evaluator.poll()) all.push_back(std::move(outcome));
        pause.wait();
    }
    return all;
}

void spin_until_cancelled(const CancelToken& token) {
    BackOff pause;
    while (!token.requested()) pause.wait();
}

TEST(LocalEvaluator, EveryCandidateComesBackOnce) {
    const auto evaluator = make_local_evaluator(
        [](const Candidate& one, const Communicator& group, const CancelToken&) {
            EXPECT_EQ(group.size(), 1);
            Outcome outcome;
            outcome.metrics["square"] = double(one.id * one.id);
            return outcome;
        });
    std::map<CandidateId, double> squares;
    CandidateId next = 1;
    while (squares.size() < 500) {
        while (next <= 500 && evaluator->free_slots() > 0) evaluator->submit(candidate(next++));
        for (const Outcome& outcome : evaluator->poll())
            EXPECT_TRUE(squares.emplace(outcome.id, outcome.metrics.at("square")).second);
    }
    for (const auto& [id, square] : squares) EXPECT_EQ(square, double(id * id));
}

TEST(LocalEvaluator, AnExceptionFailsTheCandidateAndTheNextOneRuns) {
    const auto evaluator =
        make_local_evaluator([](const Candidate& one, const Communicator&, const CancelToken&) {
            if (one.id == 1) throw ConfigError("heads do not divide the width");
            return Outcome{};
        });
    evaluator->submit(candidate(1));
    const Outcome failed = wait_for(*evaluator, 1).front();
    EXPECT_EQ(failed.status, Status::failed);
    EXPECT_EQ(failed.reason, "heads do not divide the width");
    evaluator->submit(candidate(2));
    EXPECT_EQ(wait_for(*evaluator, 1).front().status, Status::completed);
}

TEST(LocalEvaluator, AReasonIsALineWhateverALibrarySaid) {
    const auto evaluator =
        make_local_evaluator([](const Candidate& one, const Communicator&, const CancelToken&) {
            if (one.id == 1) throw std::runtime_error("caf\xe9\nsecond line\x1b[31m");
            Outcome outcome;
            outcome.status = Status::failed;
            outcome.reason = std::string(100'000, '\n');
            return outcome;
        });
    evaluator->submit(candidate(1));
    EXPECT_EQ(wait_for(*evaluator, 1).front().reason, "caf\\x{e9}\\u{a}second line\\u{1b}[31m");
    evaluator->submit(candidate(2));
    const std::string reason = wait_for(*evaluator, 1).front().reason;
    EXPECT_EQ(reason.substr(0, 10), "\\u{a}\\u{a}");
    EXPECT_EQ(reason.size(), 4096u);
}

TEST(LocalEvaluator, CancelReachesTheRunningCandidateAlone) {
    const auto evaluator =
        make_local_evaluator([](const Candidate&, const Communicator&, const CancelToken& token) {
            spin_until_cancelled(token);
            Outcome outcome;
            outcome.status = Status::cancelled;
            return outcome;
        });
    evaluator->cancel(1);  // unknown: forgotten, does not hit a later candidate of that id
    evaluator->submit(candidate(1));
    EXPECT_EQ(evaluator->free_slots(), 0u);
    EXPECT_TRUE(evaluator->poll().empty());
    evaluator->cancel(1);
    EXPECT_EQ(wait_for(*evaluator, 1).front().status, Status::cancelled);
}

TEST(LocalEvaluator, ACandidatePastItsLimitTimesOut) {
    const auto evaluator = make_local_evaluator(
        [](const Candidate& one, const Communicator&, const CancelToken& token) {
            Outcome outcome;
            if (one.id == 2) return outcome;
            spin_until_cancelled(token);
            outcome.status = Status::cancelled;
            return outcome;
        },
        0.05);
    evaluator->submit(candidate(1));
    EXPECT_EQ(wait_for(*evaluator, 1).front().status, Status::timed_out);
    evaluator->submit(candidate(2));
    EXPECT_EQ(wait_for(*evaluator, 1).front().status, Status::completed);
}

TEST(LocalEvaluator, GoesAwayWhileACandidateRuns) {
    std::atomic<bool> ended{false};
    {
        std::atomic<bool> began{false};
        const auto evaluator = make_local_evaluator(
            [&](const Candidate&, const Communicator&, const CancelToken& token) {
                began = true;
                spin_until_cancelled(token);
                ended = true;
                return Outcome{};
            });
        evaluator->submit(candidate(1));
        BackOff pause;
        while (!began) pause.wait();
    }
    EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace edgeloop::local_evaluator_test
