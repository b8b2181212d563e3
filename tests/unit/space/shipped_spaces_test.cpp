#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/shipped.hpp"
#include "edgeloop/space/search_space.hpp"

#include <set>

#include <gtest/gtest.h>

namespace edgeloop::shipped_spaces_test {
namespace {

TEST(ShippedSpaces, Hpc2edgeHasThePublishedNumberOfArchitectures) {
    EXPECT_EQ(SearchSpace::from_file("hpc2edge").network_count(), 124416);
}

TEST(ShippedSpaces, EveryPublishedArchitectureIsDistinctAndFeasible) {
    const SearchSpace space = SearchSpace::from_file("hpc2edge");
    RandomStream random(1, "start");
    Genome genome = space.sample(random);
    std::set<Digest> networks;
    std::size_t counted = 0;
    const std::size_t shaping = space.variables().size() - 3;  // the last three are of training
    for (std::size_t i = 0; i < shaping; ++i) genome.genes[i] = 0;
    for (bool more = true; more;) {
        // Every 7th keeps the test short; 7 divides none of the domain sizes.
        if (counted++ % 7 == 0) {
            ASSERT_EQ(space.infeasibility(genome), std::nullopt);
            networks.insert(space.decode(genome).network_identity());
        }
        std::size_t i = 0;
        while (i < shaping &&
               ++genome.genes[i] == static_cast<double>(space.variables()[i].choices.size()))
            genome.genes[i++] = 0;
        more = i < shaping;
    }
    EXPECT_EQ(counted, 124416u);
    EXPECT_EQ(networks.size(), (counted + 6) / 7);
}

class EveryShippedSpace : public testing::TestWithParam<std::string> {};

TEST_P(EveryShippedSpace, GivesSpecsOrReasons) {
    const SearchSpace space = SearchSpace::from_file(GetParam());
    EXPECT_EQ(space.name(), GetParam());
    RandomStream random(7, "genomes");
    constexpr int trials = 1000;
    int feasible = 0;
    for (int i = 0; i < trials; ++i) {
        const Genome genome = space.sample(random);
        const auto problem = space.infeasibility(genome);
        if (problem) {
            EXPECT_FALSE(problem->empty());
            continue;
        }
        ++feasible;
        const ArchitectureSpec spec = space.decode(genome);
        EXPECT_EQ(ArchitectureSpec::from_json(spec.to_json(), "again").identity(),
                  space.identity(genome));
    }
    EXPECT_GT(feasible, trials / 5) << "most proposals would be wasted";
}

std::vector<std::string> names() {
    std::vector<std::string> list;
    for (const ShippedFile& file : shipped_spaces()) list.emplace_back(file.name);
    return list;
}

INSTANTIATE_TEST_SUITE_P(Shipped, EveryShippedSpace, testing::ValuesIn(names()), [](const auto& i) {
    std::string name = i.param;
    for (char& c : name)
        if (c == '-') c = '_';
    return name;
});

}  // namespace
}  // namespace edgeloop::shipped_spaces_test
