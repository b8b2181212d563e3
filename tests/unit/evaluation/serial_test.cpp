#include "edgeloop/evaluation/serial.hpp"

#include "edgeloop/core/error.hpp"

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

Candidate numbered(CandidateId id) {
    Candidate candidate;
    candidate.id = id;
    return candidate;
}

Outcome succeed(const Candidate& candidate) {
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.metrics["f1"] = static_cast<double>(candidate.id);
    return outcome;
}

Outcome fail(const Candidate&) { throw ConfigError("no such layer"); }

TEST(SerialEvaluator, EvaluatesOneCandidatePerPoll) {
    SerialEvaluator evaluator(succeed);
    EXPECT_EQ(evaluator.free_slots(), 1u);
    evaluator.submit(numbered(7));
    EXPECT_EQ(evaluator.free_slots(), 0u);
    const auto outcomes = evaluator.poll();
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].metrics.at("f1"), 7);
    EXPECT_TRUE(evaluator.poll().empty());
}

TEST(SerialEvaluator, WhatIsThrownFailsTheCandidate) {
    SerialEvaluator evaluator(fail);
    evaluator.submit(numbered(3));
    const auto outcomes = evaluator.poll();
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].id, 3u);
    EXPECT_EQ(outcomes[0].status, Status::failed);
    EXPECT_EQ(outcomes[0].reason, "no such layer");
}

TEST(SerialEvaluator, AWaitingCandidateCanBeCancelled) {
    SerialEvaluator evaluator(succeed);
    evaluator.submit(numbered(1));
    evaluator.cancel(1);
    const auto outcomes = evaluator.poll();
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].status, Status::cancelled);
    EXPECT_EQ(evaluator.free_slots(), 1u);
}

TEST(ImmediateProbe, AnswersAtTheNextPoll) {
    ImmediateProbe probe(succeed, "modelled");
    probe.submit(numbered(2));
    probe.submit(numbered(4));
    const auto outcomes = probe.poll();
    ASSERT_EQ(outcomes.size(), 2u);
    EXPECT_EQ(outcomes[1].id, 4u);
    EXPECT_TRUE(probe.poll().empty());
    EXPECT_EQ(probe.link().text, "modelled");
}

}  // namespace
}  // namespace edgeloop
