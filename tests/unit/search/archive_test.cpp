#include "edgeloop/search/archive.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <set>

#include <gtest/gtest.h>

namespace edgeloop::archive_test {
namespace {

CompletedCandidate with_id(CandidateId id) {
    CompletedCandidate completed;
    completed.candidate.id = id;
    return completed;
}

bool dominated(const std::vector<double>& a, const std::vector<double>& by) {
    bool better = false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (by[i] > a[i]) return false;
        better |= by[i] < a[i];
    }
    return better;
}

std::set<CandidateId> ids(const Archive& archive) {
    std::set<CandidateId> ids;
    for (const ArchiveMember& member : archive.members()) ids.insert(member.completed.candidate.id);
    return ids;
}

TEST(Archive, HoldsExactlyTheNonDominatedInAnyOrderOfArrival) {
    RandomStream random(1, "archive test");
    for (int round = 0; round < 50; ++round) {
        const std::size_t objectives = 2 + random.below(2);
        std::vector<std::vector<double>> points(60);
        for (auto& point : points)  // few values, so that ties and duplicates occur
            for (std::size_t i = 0; i < objectives; ++i)
                point.push_back(static_cast<double>(random.below(8)));
        std::set<CandidateId> expected;
        for (std::size_t i = 0; i < points.size(); ++i) {
            bool keeps = true;
            for (const auto& other : points) keeps &= !dominated(points[i], other);
            if (keeps) expected.insert(i);
        }
        std::vector<std::size_t> order;
        for (std::size_t i = 0; i < points.size(); ++i) order.push_back(i);
        random.shuffle(order);
        Archive archive;
        for (const std::size_t i : order) archive.add(with_id(i), points[i]);
        EXPECT_EQ(ids(archive), expected);
    }
}

TEST(Archive, SortsByObjectivesThenId) {
    Archive archive;
    archive.add(with_id(5), {2, 1});
    archive.add(with_id(4), {1, 2});
    archive.add(with_id(3), {2, 1});
    const auto sorted = archive.sorted();
    ASSERT_EQ(sorted.size(), 3u);
    EXPECT_EQ(sorted[0].completed.candidate.id, 4u);
    EXPECT_EQ(sorted[1].completed.candidate.id, 3u);
    EXPECT_EQ(sorted[2].completed.candidate.id, 5u);
}

}  // namespace
}  // namespace edgeloop::archive_test
