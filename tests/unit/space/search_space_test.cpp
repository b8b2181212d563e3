#include "edgeloop/space/search_space.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace edgeloop::search_space_test {
namespace {

/// Two families; the number of stages and the learning rate as genes.
Json two_families() {
    return Json::parse(R"({
      "version": 1, "name": "two",
      "base": {"clip": {"frames": 8, "side": 32}},
      "variables": [
        {"name": "family", "kind": "categorical", "choices": ["cnn3d", "swin3d"]},
        {"name": "stages", "kind": "integer", "lower": 1, "upper": 2,
         "length_of": "architecture.stages", "when": {"family": "cnn3d"}},
        {"name": "channels.0", "path": "architecture.stages.0.channels", "kind": "ordinal",
         "choices": [4, 8, 16], "when": {"family": "cnn3d"}},
        {"name": "channels.1", "path": "architecture.stages.1.channels", "kind": "ordinal",
         "choices": [8, 16], "when": {"stages": {"min": 2}}},
        {"name": "architecture.embed_dim", "kind": "ordinal", "choices": [8, 12, 24],
         "when": {"family": "swin3d"}},
        {"name": "training.learning_rate", "kind": "log_real", "lower": 1e-4, "upper": 1}
      ],
      "cases": [
        {"when": {"family": "cnn3d"}, "set": {"architecture": {"stages": [
          {"channels": 4, "kernel": [3, 3, 3], "pool": [2, 2, 2]},
          {"channels": 4, "kernel": [3, 3, 3], "pool": [2, 2, 2]}]}}},
        {"when": {"family": "swin3d"}, "set": {"architecture": {
          "patch": [2, 4, 4], "embed_dim": 8, "depths": [1], "heads": [3]}}}
      ],
      "constraints": ["channels.1 >= channels.0"]
    })");
}

SearchSpace space() { return SearchSpace::from_json(two_families(), "two.json"); }

Genome genome(std::vector<double> genes) { return {std::move(genes)}; }

TEST(SearchSpace, CountsConditionalDesignsOnce) {
    // cnn3d: 1 stage x 3 widths, 2 stages x 3 x 2; swin3d: 3 widths.
    EXPECT_EQ(space().network_count(), 3 + 6 + 3);
    EXPECT_EQ(space().size(), std::numeric_limits<double>::infinity());
}

TEST(SearchSpace, PutsInactiveGenesToSleep) {
    Genome g = genome({1, 2, 1, 1, 2, 0.01});
    space().canonicalise(g);
    EXPECT_EQ(g, genome({1, 1, 0, 0, 2, 0.01}));
    EXPECT_EQ(space().active(g), (std::vector<bool>{true, false, false, false, true, true}));
}

TEST(SearchSpace, BringsEveryGeneIntoItsDomain) {
    Genome g = genome({-3, 1.6, 99, 0.4, 0, std::nan("")});
    space().canonicalise(g);
    EXPECT_EQ(g, genome({0, 2, 2, 0, 0, 1e-4}));
}

TEST(SearchSpace, DecodesPlacesAndLengths) {
    const ArchitectureSpec two = space().decode(genome({0, 2, 0, 1, 0, 0.01}));
    EXPECT_EQ(two.family, "cnn3d");
    ASSERT_EQ(two.architecture["stages"].size(), 2u);
    EXPECT_EQ(two.architecture["stages"][0]["channels"], 4);
    EXPECT_EQ(two.architecture["stages"][1]["channels"], 16);
    EXPECT_EQ(two.training.learning_rate, 0.01);
    EXPECT_EQ(two.clip.side, 32);
    EXPECT_EQ(space().decode(genome({0, 1, 0, 0, 0, 0.01})).architecture["stages"].size(), 1u);
    EXPECT_EQ(space().decode(genome({1, 1, 0, 0, 1, 0.01})).architecture["embed_dim"], 12);
}

TEST(SearchSpace, HardwareHasGenesLikeEveryField) {
    Json json = two_families();
    json["base"]["hardware"] = {{"cycles", 1000}};
    json["variables"].push_back(
        {{"name", "hardware.cycles"}, {"kind", "ordinal"}, {"choices", {1000, 4000}}});
    const SearchSpace with = SearchSpace::from_json(json, "two.json");
    EXPECT_EQ(with.decode(genome({0, 1, 0, 0, 0, 0.01, 1})).hardware,
              (Hardware{4000, "lut", "logic"}));
    EXPECT_FALSE(space().decode(genome({0, 1, 0, 0, 0, 0.01})).hardware);
    json["base"].erase("hardware");
    EXPECT_THROW((void)SearchSpace::from_json(json, "two.json"), ConfigError);
}

TEST(SearchSpace, SaysWhyADesignIsInfeasible) {
    EXPECT_EQ(space().infeasibility(genome({0, 2, 2, 0, 0, 0.01})),
              "breaks the rule channels.1 >= channels.0");
    EXPECT_EQ(space().infeasibility(genome({1, 1, 0, 0, 0, 0.01})),
              "heads 3 of stage 0 do not divide its width 8");
    EXPECT_EQ(space().infeasibility(genome({0, 1, 2, 0, 0, 0.01})), std::nullopt)
        << "a rule about a gene that does not exist does not apply";
    EXPECT_THROW((void)space().decode(genome({1, 1, 0, 0, 0, 0.01})), LogicError);
}

TEST(SearchSpace, IdentityIgnoresInactiveGenes) {
    const Genome one = genome({0, 1, 1, 0, 0, 0.01}), same = genome({0, 1, 1, 1, 2, 0.01});
    EXPECT_EQ(space().identity(one), space().identity(same));
    EXPECT_NE(space().identity(one), space().identity(genome({0, 1, 2, 0, 0, 0.01})));
    const Genome infeasible = genome({1, 1, 0, 0, 0, 0.01});
    EXPECT_NE(space().identity(infeasible), space().identity(genome({1, 1, 0, 0, 0, 0.02})));
}

TEST(SearchSpace, SamplesUniformlyOnEachScale) {
    const SearchSpace s = space();
    RandomStream random(1, "sample");
    constexpr int draws = 20000;
    int swin = 0, low_rate = 0;
    for (int i = 0; i < draws; ++i) {
        const Genome g = s.sample(random);
        Genome canonical = g;
        s.canonicalise(canonical);
        ASSERT_EQ(g, canonical);
        swin += g.genes[0] == 1 ? 1 : 0;
        low_rate += g.genes[5] < 1e-2 ? 1 : 0;
    }
    EXPECT_NEAR(swin, draws / 2, 300);
    EXPECT_NEAR(low_rate, draws / 2, 300);
}

TEST(SearchSpace, DescribesGenesForTables) {
    EXPECT_EQ(space().describe(genome({0, 1, 1, 0, 0, 0.25})),
              (std::vector<std::string>{"cnn3d", "1", "8", "", "", "0.25"}));
}

TEST(SearchSpace, ABoxHoldsRealGenesOnly) {
    const SearchSpace box = SearchSpace::box({0, -5}, {1, 5});
    EXPECT_EQ(box.variables().size(), 2u);
    EXPECT_EQ(box.variables()[1].name, "x2");
    Genome g = genome({2, -7});
    box.canonicalise(g);
    EXPECT_EQ(g, genome({1, -5}));
    EXPECT_EQ(box.infeasibility(g), std::nullopt);
    EXPECT_NE(box.identity(genome({0.25, 1})), box.identity(genome({0.25, 1 + 1e-15})));
    EXPECT_EQ(box.identity(genome({0.25, 0.0})), box.identity(genome({0.25, -0.0})));
    EXPECT_NE(box.identity(), SearchSpace::box({0, -5}, {1, 6}).identity());
    EXPECT_THROW((void)box.decode(g), LogicError);
}

TEST(SearchSpace, RefusesGenomesOfAnotherSpace) {
    Genome g = genome({1, 2});
    EXPECT_THROW(space().canonicalise(g), LogicError);
    EXPECT_THROW((void)space().active(g), LogicError);
}

TEST(SearchSpace, OfGenesIsABoxOfAnyKinds) {
    const auto made = [](const std::string& name, const std::vector<Json>& choices, double upper) {
        Variable op, count;
        op.name = name;
        op.choices = choices;
        count.name = "count";
        count.kind = GeneKind::integer;
        count.lower = 1;
        count.upper = upper;
        return SearchSpace::of_genes("mine", {op, count});
    };
    const SearchSpace space = made("op", {"a", "b", "c"}, 4);
    EXPECT_EQ(space.size(), 12);
    EXPECT_EQ(space.describe(genome({2, 3})), (std::vector<std::string>{"c", "3"}));
    EXPECT_FALSE(space.try_decode(genome({2, 3})).design);
    EXPECT_FALSE(space.infeasibility(genome({2, 3})));
    Genome beyond = genome({7, 0.4});
    space.canonicalise(beyond);
    EXPECT_EQ(beyond, genome({2, 1}));
    EXPECT_NE(space.identity(genome({2, 3})), space.identity(genome({2, 2})));
    EXPECT_EQ(space.identity(), made("op", {"a", "b", "c"}, 4).identity());
    EXPECT_NE(space.identity(), made("op2", {"a", "b", "c"}, 4).identity());
    EXPECT_NE(space.identity(), made("op", {"a", "c", "b"}, 4).identity());
    EXPECT_NE(space.identity(), made("op", {"a", "b", "c"}, 5).identity());
    EXPECT_THROW((void)made("op", {}, 4), LogicError);
    EXPECT_THROW((void)made("op", {"a"}, 0), LogicError);
}

}  // namespace
}  // namespace edgeloop::search_space_test
