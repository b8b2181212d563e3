#include "edgeloop/search/nas_table.hpp"

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

// Stands in for exact counting: only the order of sizes matters here.
NetworkCosts rough_costs(const ArchitectureSpec& spec) {
    const double width = spec.architecture.at("embed_dim").get<double>();
    double depth = 0;
    for (const Json& each : spec.architecture.at("depths")) depth += each.get<double>();
    const double work = width * width * depth;
    return {work / 100, work / 1000};
}

Candidate candidate_of(const SearchSpace& space, CandidateId id, int epochs) {
    RandomStream random(1, "nas-table test", 0, id);
    Candidate candidate;
    candidate.id = candidate.seed = id;
    candidate.genome = space.sample(random);
    candidate.epochs = epochs;
    return candidate;
}

TEST(NasTable, GivesTheSameAnswerToTheSameQuestion) {
    const NasTable table(rough_costs), other(rough_costs);
    for (CandidateId id = 1; id <= 20; ++id) {
        const Candidate candidate = candidate_of(table.space(), id, 3);
        EXPECT_EQ(table.train(candidate).metrics, other.train(candidate).metrics);
        EXPECT_EQ(table.measure(candidate).metrics, other.measure(candidate).metrics);
    }
}

TEST(NasTable, MoreEpochsHelpOnAverageAndCostInProportion) {
    const NasTable table(rough_costs);
    double early = 0, late = 0;
    for (CandidateId id = 1; id <= 200; ++id) {
        Candidate candidate = candidate_of(table.space(), id, 1);
        const Outcome first = table.train(candidate);
        early += first.metrics.at("val_rmse");
        candidate.trained_epochs = 1;
        candidate.epochs = 9;
        const Outcome second = table.train(candidate);
        late += second.metrics.at("val_rmse");
        EXPECT_DOUBLE_EQ(second.seconds, 8 * first.seconds);
    }
    EXPECT_LT(late, early - 200 * 0.1);
}

TEST(NasTable, TheTrueErrorIsTheFullBudgetWithoutNoise) {
    const NasTable table(rough_costs);
    double sum = 0;
    for (CandidateId id = 1; id <= 400; ++id) {
        const Candidate candidate = candidate_of(table.space(), id, NasTable::full_epochs);
        sum += table.train(candidate).metrics.at("val_rmse") - table.true_error(candidate.genome);
    }
    EXPECT_NEAR(sum / 400, 0, 0.001);
}

}  // namespace
}  // namespace edgeloop
