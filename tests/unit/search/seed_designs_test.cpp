#include "edgeloop/search/seed_designs.hpp"

#include "edgeloop/core/error.hpp"

#include <gtest/gtest.h>

namespace edgeloop::seed_designs_test {
namespace {

TEST(SeedDesigns, EveryDesignOfASpaceFindsItsGenome) {
    for (const ShippedFile& file : shipped_spaces()) {
        const SearchSpace space = SearchSpace::from_file(file.name);
        RandomStream random(1, "seed designs");
        int found = 0;
        for (int i = 0; i < 50; ++i) {
            const Genome genome = space.sample(random);
            if (space.infeasibility(genome)) continue;
            ++found;
            const ArchitectureSpec spec = space.decode(genome);
            EXPECT_EQ(space.decode(genome_of(space, spec, "test")).canonical(), spec.canonical())
                << file.name;
        }
        EXPECT_GT(found, 5) << file.name;
    }
    EXPECT_GE(shipped_spaces().size(), 6u);
}

TEST(SeedDesigns, RefusesWhatTheSpaceDoesNotOffer) {
    const SearchSpace space = SearchSpace::from_file("hpc2edge");
    RandomStream random(1, "seed designs");
    Genome genome = space.sample(random);
    while (space.infeasibility(genome)) genome = space.sample(random);
    ArchitectureSpec spec = space.decode(genome);
    spec.architecture["embed_dim"] = 96;
    try {
        (void)genome_of(space, spec, "big.json");
        FAIL() << "a width outside the space was accepted";
    } catch (const ConfigError& error) {
        EXPECT_EQ(error.problem(), "big.json: architecture.embed_dim is 96");
        EXPECT_EQ(error.why(), "the search space offers [24,48]");
    }
    spec = space.decode(genome);
    spec.clip.side = 112;
    EXPECT_THROW((void)genome_of(space, spec, "small.json"), ConfigError);
}

}  // namespace
}  // namespace edgeloop::seed_designs_test
