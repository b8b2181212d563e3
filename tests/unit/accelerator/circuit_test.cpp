// What needs no tool: parts, folding, the smaller requantisation, exact cycles, refusals.
#include "unit/accelerator/cycle_model.hpp"
#include "unit/accelerator/random_circuits.hpp"

#include "edgeloop/accelerator/cost.hpp"
#include "edgeloop/accelerator/rtl.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/networks.hpp"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::accelerator::circuit_test {
namespace {

using testing::HasSubstr;

std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

TEST(Part, ShippedOnesAreKnownByName) {
    ASSERT_GE(part_names().size(), 4u);
    for (const std::string& name : part_names()) {
        const Part part = part_named(name);
        EXPECT_EQ(part.name, name);
        EXPECT_GT(part.usable.lut, 0);
        EXPECT_LE(part.usable.lut, part.has.lut);
        EXPECT_GT(part.clock_mhz, 0);
    }
    EXPECT_THAT(error_of([] { (void)part_named("zynq9999"); }),
                HasSubstr("ecp5-85, ice40-hx8k, zu3eg, zynq7020"));
}

TEST(Part, SaysWhatIsTooMuch) {
    const Part part = part_named("zynq7020");
    EXPECT_EQ(excess({100, 100, 1, 1}, part), "");
    EXPECT_EQ(excess({40000, 100, 300, 1}, part), "40000 of 37240 LUTs, 300 of 224 RAM blocks");
    EXPECT_THAT(error_of([&] {
                    require_fit({40000, 0, 0, 0}, part);
                }),
                HasSubstr("does not fit AMD Zynq-7020"));
}

TEST(Folding, GrowsInputsFirstThenOutputs) {
    const auto parallel = [](std::int64_t cycles) {
        const Folding folding = folding_of(27, 8, cycles);
        EXPECT_LE(folding.cycles(), cycles);
        return std::pair(folding.inputs, folding.outputs);
    };
    EXPECT_EQ(parallel(1000), std::pair(1, 1));
    EXPECT_EQ(parallel(216), std::pair(1, 1));
    EXPECT_EQ(parallel(215), std::pair(2, 1));
    EXPECT_EQ(parallel(24), std::pair(9, 1));
    EXPECT_EQ(parallel(8), std::pair(27, 1));
    EXPECT_EQ(parallel(4), std::pair(27, 2));
    EXPECT_EQ(parallel(3), std::pair(27, 3));
    EXPECT_EQ(parallel(1), std::pair(27, 8));
}

TEST(Folding, NeverTakesMoreCyclesThanItMay) {
    RandomStream random(1, "folding");
    for (int i = 0; i < 2000; ++i) {
        const auto inputs = std::int64_t(1 + random.below(300)),
                   outputs = std::int64_t(1 + random.below(70)),
                   cycles = std::int64_t(1 + random.below(5000));
        const Folding folding = folding_of(inputs, outputs, cycles);
        ASSERT_LE(folding.cycles(), cycles);
        ASSERT_GE(std::int64_t{folding.inputs} * folding.input_folds, inputs);
        ASSERT_GE(std::int64_t{folding.outputs} * folding.output_folds, outputs);
        ASSERT_LT(std::int64_t{folding.inputs} * (folding.input_folds - 1), inputs);
        ASSERT_LT(std::int64_t{folding.outputs} * (folding.output_folds - 1), outputs);
    }
}

TEST(Requantisation, GivesWhatTheRuleGivesForEveryAccumulator) {
    RandomStream random(1, "requantisation");
    int thresholds = 0, multipliers = 0;
    for (int i = 0; i < 200; ++i) {
        const int bits = inference::one_of(random, {1, 2, 3, 4, 8});
        std::vector<inference::Dyadic> ratios;
        std::vector<Range> ranges;
        for (int c = 0; c < 3; ++c) {
            ratios.push_back(inference::dyadic_of(std::exp(random.uniform(-9, 1))));
            ranges.push_back({-std::int64_t(random.below(3000)), std::int64_t(random.below(3000))});
        }
        if (i % 10 == 0) ratios[1].multiplier = 0;
        const Requantisation rule = requantisation_of(ratios, ranges, bits);
        ++(rule.rounding == Rounding::thresholds ? thresholds : multipliers);
        for (std::size_t c = 0; c < ratios.size(); ++c)
            for (std::int64_t a = ranges[c].low; a <= ranges[c].high; ++a)
                ASSERT_EQ(requantised(rule, c, a),
                          inference::requantise(std::int32_t(a), ratios[c], bits))
                    << i << ": accumulator " << a;
    }
    EXPECT_GT(thresholds, 20);
    EXPECT_GT(multipliers, 20);
}

TEST(Timing, IsWhatSteppingThroughTheCyclesShows) {
    for (std::uint64_t i = 0; i < 150; ++i) {
        const Circuit circuit = test::random_circuit(1, i);
        ASSERT_EQ(timing_of(circuit), test::CycleModel(circuit).run()) << "design " << i;
    }
}

TEST(Timing, TheSlowestLayerMeetsTheTarget) {
    ArchitectureSpec spec = ArchitectureSpec::from_json(
        {{"family", "cnn3d"},
         {"architecture",
          {{"stages", {{{"channels", 6}, {"pool", {1, 2, 2}}}, {{"channels", 8}}}},
           {"norm", "none"}}},
         {"clip", {{"frames", 4}, {"side", 12}}},
         {"quantisation", {{"stages", {{{"weights", 4}}, {{"weights", 2}, {"activations", 4}}}}}}},
        "spec");
    const auto circuit = [&](int cycles) {
        spec.hardware = Hardware{cycles, "lut", "logic"};
        const inference::Graph graph = inference::random_graph_of(spec);
        EXPECT_EQ(hardware_of(graph), *spec.hardware);
        return circuit_of(graph, hardware_of(graph), part_named("zynq7020"));
    };
    std::int64_t before = 1'000'000;
    for (const int cycles : {100000, 20000, 4000, 1000, 400}) {
        const Circuit one = circuit(cycles);
        std::int64_t slowest = 0;
        for (const Unit& unit : one.units) slowest = std::max(slowest, unit.cycles());
        EXPECT_LE(slowest, 4 * cycles);
        EXPECT_GT(slowest, cycles) << "and not much of it is wasted";
        const std::int64_t interval = timing_of(one).interval;
        EXPECT_GE(interval, slowest);
        EXPECT_LT(interval, std::min(2 * slowest, before));
        before = interval;
    }
    EXPECT_EQ(timing_of(circuit(1)).interval, 6 * 14 * 14)
        << "a padded position a cycle is the least";
}

TEST(Circuit, TheSameTextEachTime) {
    for (std::uint64_t i = 0; i < 10; ++i) {
        const std::vector<TextOfFile> one = rtl_of(test::random_circuit(2, i)),
                                      two = rtl_of(test::random_circuit(2, i));
        ASSERT_EQ(one.size(), two.size());
        for (std::size_t f = 0; f < one.size(); ++f) {
            EXPECT_EQ(one[f].name, two[f].name);
            EXPECT_EQ(one[f].text, two[f].text);
        }
    }
}

TEST(Circuit, RefusesWhatHasNone) {
    const auto refusal = [](const Json& quantisation, const char* norm) {
        Json json{{"family", "cnn3d"},
                  {"architecture", {{"stages", {{{"channels", 4}}}}, {"norm", norm}}},
                  {"clip", {{"frames", 2}, {"side", 6}}}};
        if (!quantisation.is_null()) json["quantisation"] = quantisation;
        return error_of([&] {
            (void)circuit_of(inference::random_graph_of(ArchitectureSpec::from_json(json, "spec")),
                             Hardware(), part_named("zynq7020"));
        });
    };
    EXPECT_THAT(refusal(nullptr, "none"), HasSubstr("it has weights of 32 bits"));
    const Json eight{{"weights", 8}, {"activations", 8}};
    EXPECT_EQ(refusal({{"stages", {eight}}}, "none"), "no error");
    EXPECT_THAT(
        refusal({{"stages", {eight}}, {"last", {{"weights", 32}, {"activations", 32}}}}, "none"),
        HasSubstr("32"));
    EXPECT_THAT(refusal(nullptr, "group"), HasSubstr("use the norm affine or none"));
}

TEST(Circuit, RefusesAGroupNorm) {
    RandomStream random(1, "norm");
    inference::GraphMaker maker(random, {1, {1, 4, 4}}, {8, 0});
    maker.convolve(inference::Operation::convolution, 4, {1, 3, 3}, {1, 1, 1}, {4, 0});
    maker.norm();
    maker.convolve(inference::Operation::linear, 2, {1, 1, 1}, {1, 1, 1}, {});
    const inference::Graph graph = maker.take();
    EXPECT_THAT(error_of([&] { (void)circuit_of(graph, Hardware(), part_named("zynq7020")); }),
                HasSubstr("a group norm depend on the clip, so it cannot be folded"));
}

TEST(Circuit, RefusesMultiplierBlocksWhereThereAreNone) {
    RandomStream random(1, "blocks");
    const inference::Graph graph = test::random_graph(random);
    EXPECT_THAT(error_of([&] {
                    (void)circuit_of(graph, {1000, "lut", "dsp"}, part_named("ice40-hx8k"));
                }),
                HasSubstr("Lattice iCE40 HX8K has no multiplier blocks"));
}

}  // namespace
}  // namespace edgeloop::accelerator::circuit_test
