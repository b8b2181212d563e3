#include "apps/circuit_rule.hpp"

#include "support/places.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/search/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::apps::circuit_rule_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Json small_network() { return read_json_file(test::test_data("specs/cnn3d_rtl.json")); }

Candidate candidate_of(const Json& spec) {
    Candidate candidate;
    candidate.design = Design::of(ArchitectureSpec::from_json(spec, "test"));
    return candidate;
}

MeasuringClasses simulated(const std::string& part, const std::string& name = "rtl") {
    MeasuringClasses classes;
    classes["cpu"].settings.runtime = "native";
    MeasuringClass& each = classes[name];
    each.settings.runtime = simulated_runtime;
    each.settings.part = part;
    return classes;
}

std::string reason(const Json& spec, const MeasuringClasses& classes, const Goals& goals = {}) {
    return circuit_rule(classes, goals)(candidate_of(spec)).value_or("");
}

/// Floats, too: few bits and a group norm are no design.
Json with_group_norm() {
    Json spec = small_network();
    spec.erase("quantisation");
    spec["architecture"]["norm"] = "group";
    return spec;
}

Json with_channels(int channels) {
    Json spec = small_network();
    spec["architecture"]["stages"][1]["channels"] = channels;
    spec["hardware"]["cycles"] = 1;
    return spec;
}

TEST(CircuitRule, ThereIsNoneWhereNothingIsSimulated) {
    MeasuringClasses classes;
    classes["cpu"].settings.runtime = "native";
    EXPECT_FALSE(circuit_rule(classes, {}));
}

TEST(CircuitRule, SaysWhatCannotBeACircuitOfThePart) {
    EXPECT_EQ(reason(small_network(), simulated("zynq7020")), "");
    EXPECT_THAT(reason(with_group_norm(), simulated("zynq7020")),
                AllOf(HasSubstr("rtl: "), HasSubstr("has no circuit")));
    EXPECT_THAT(reason(with_channels(128), simulated("zynq7020")),
                AllOf(HasSubstr("rtl: the design does not fit AMD Zynq-7020"), HasSubstr("LUTs"),
                      HasSubstr("(estimated)")));
    EXPECT_THAT(reason(with_channels(128), simulated("zynq7020", "")),
                ::testing::StartsWith("the design does not fit"));
}

TEST(CircuitRule, AnEstimateIsNoCount) {
    // Between what a design may use and what the part has.
    for (int channels = 4; channels <= 128; ++channels) {
        MeasuringClasses classes = simulated("ice40-hx8k");
        if (reason(with_channels(channels), classes).empty()) continue;
        classes["rtl"].settings.resources = "synthesised";
        EXPECT_EQ(reason(with_channels(channels), classes), "") << channels;
        return;
    }
    FAIL() << "everything fits";
}

TEST(CircuitRule, LimitsOnWhatIsKnownOfACircuitHoldBeforeItIsSimulated) {
    Goals goals;
    goals.constraints = {parse_constraint("lut@rtl<=10")};
    EXPECT_THAT(reason(small_network(), simulated("zynq7020"), goals),
                HasSubstr("which breaks lut@rtl<=10"));
    goals.constraints = {parse_constraint("latency_us@rtl<=0.001")};
    EXPECT_THAT(reason(small_network(), simulated("zynq7020"), goals), HasSubstr("latency_us@rtl"));
    goals.constraints = {parse_constraint("lut@rtl<=100000"), parse_constraint("dsp@rtl<=0")};
    EXPECT_EQ(reason(small_network(), simulated("zynq7020"), goals), "");
    MeasuringClasses counted = simulated("zynq7020");
    counted["rtl"].settings.resources = "synthesised";
    goals.constraints = {parse_constraint("lut@rtl<=10")};
    EXPECT_EQ(reason(small_network(), counted, goals), "");
}

Json space_of(const Json& base) {
    return {{"version", 1},
            {"name", "small"},
            {"description", "for a test"},
            {"base", base},
            {"variables",
             {{{"name", "channels"},
               {"path", "architecture.stages.1.channels"},
               {"kind", "ordinal"},
               {"choices", {4, 128}}}}}};
}

TEST(CircuitRule, ASpaceWithoutAnyCircuitIsRefusedAtOnce) {
    Json base = small_network();
    base["hardware"]["cycles"] = 1;
    const CircuitRule rule = circuit_rule(simulated("zynq7020"), {});
    EXPECT_NO_THROW(require_circuits(SearchSpace::from_json(space_of(base), "test"), rule));
    EXPECT_NO_THROW(require_circuits(SearchSpace::from_json(space_of(base), "test"), {}));
    // A design that is given may be the only one: it is looked at first.
    const SearchSpace space = SearchSpace::from_json(space_of(base), "test");
    std::vector<double> looked_at;
    const CircuitRule large = [&](const Candidate& candidate) -> std::optional<std::string> {
        looked_at.push_back(candidate.genome.genes.at(0));
        if (candidate.genome.genes.at(0) == 1) return std::nullopt;
        return "too small";
    };
    EXPECT_NO_THROW(require_circuits(space, large, {Genome{{1}}}));
    EXPECT_EQ(looked_at, std::vector<double>{1});
    try {
        require_circuits(SearchSpace::from_json(space_of(with_group_norm()), "test"), rule);
        FAIL() << "a group norm has no circuit";
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("the space 'small'"), HasSubstr("for instance"),
                                        HasSubstr("use the norm affine or none")));
    }
}

// The engine proposes nothing that the rule forbids while there is anything else.
TEST(CircuitRule, KeepsDesignsFromBeingProposed) {
    Json base = small_network();
    base["hardware"]["cycles"] = 1;
    const SearchSpace space = SearchSpace::from_json(space_of(base), "test");
    EngineSettings settings;
    settings.kind = EngineKind::random;
    settings.evaluations = settings.population = 2;
    settings.goals.objectives = {"f"};
    settings.static_rule = circuit_rule(simulated("zynq7020"), {});
    const auto engine = make_engine(space, settings);
    const auto first = engine->ask();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->genome.genes, std::vector<double>{0});
    EXPECT_EQ(engine->verdict(*first, {}), std::nullopt);
    const auto second = engine->ask();
    ASSERT_TRUE(second) << "for all to see that it is infeasible";
    const auto verdict = engine->verdict(*second, {});
    ASSERT_TRUE(verdict);
    EXPECT_EQ(verdict->status, Status::infeasible);
    EXPECT_THAT(verdict->reason, HasSubstr("does not fit"));
}

}  // namespace
}  // namespace edgeloop::apps::circuit_rule_test
