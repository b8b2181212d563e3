// Generated text in the real tools. Each test is skipped, and says which package is missing, where
// they are not installed. EDGELOOP_RTL_DESIGNS and EDGELOOP_RTL_CLIPS make it longer.
#include "edgeloop/accelerator/tools.hpp"

#include "unit/accelerator/random_circuits.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::accelerator::tools_test {
namespace {

std::size_t count_from(const char* variable, std::size_t otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::stoul(text);
}

TEST(Simulation, AnswersAndCyclesAreExact) {
    if (const std::string problem = simulation_problem(); !problem.empty()) GTEST_SKIP() << problem;
    const std::size_t designs = count_from("EDGELOOP_RTL_DESIGNS", 1),
                      clips = count_from("EDGELOOP_RTL_CLIPS", 4);
    ASSERT_GE(designs, 1u);
    for (std::size_t i = 0; i < designs; ++i) {
        SCOPED_TRACE("design " + std::to_string(i));
        const Circuit circuit = test::random_circuit(7, i);
        const TestVectors vectors = test_vectors_of(circuit, sample_clips(circuit, clips));
        const Simulation steady = simulate(circuit, vectors, {});
        EXPECT_TRUE(steady.equal) << steady.difference;
        EXPECT_EQ(steady.timing, timing_of(circuit));
        const Simulation stalled = simulate(circuit, vectors, {}, {std::uint32_t(i + 1)});
        EXPECT_TRUE(stalled.equal) << stalled.difference;
    }
}

TEST(Simulation, AWrongAnswerIsNoSuccess) {
    if (const std::string problem = simulation_problem(); !problem.empty()) GTEST_SKIP() << problem;
    const Circuit circuit = test::random_circuit(7, 0);
    TestVectors vectors = test_vectors_of(circuit, sample_clips(circuit, 2));
    vectors.answers[1][0] ^= 1;
    const Simulation simulation = simulate(circuit, vectors, {});
    EXPECT_FALSE(simulation.equal);
    EXPECT_THAT(simulation.difference, testing::HasSubstr("clip 1: DIFFERENT"));
}

TEST(Simulation, EndsAtItsLimit) {
    if (const std::string problem = simulation_problem(); !problem.empty()) GTEST_SKIP() << problem;
    const Circuit circuit = test::random_circuit(7, 0);
    const TestVectors vectors = test_vectors_of(circuit, sample_clips(circuit, 1));
    ToolLimits limits;
    limits.seconds = 0.05;
    try {
        (void)simulate(circuit, vectors, limits);
        FAIL() << "it had no time";
    } catch (const IoError& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("took longer than its limit"));
    }
}

TEST(Netlist, AnswersAsTheCircuitItIsMadeOf) {
    if (const std::string problem = netlist_problem(); !problem.empty()) GTEST_SKIP() << problem;
    const std::size_t designs = count_from("EDGELOOP_RTL_NETLISTS", 1);
    constexpr std::size_t small[] = {11, 17, 39};  // of random_circuit(7, ...), small ones
    ASSERT_GE(designs, 1u);
    for (std::size_t i = 0; i < std::min(designs, std::size(small)); ++i) {
        const Circuit circuit = test::random_circuit(7, small[i], "ice40-hx8k");
        const TestVectors vectors = test_vectors_of(circuit, sample_clips(circuit, 2));
        for (const std::uint32_t stalls : {0U, 5U}) {
            const Simulation simulation = simulate_netlist(circuit, vectors, {}, {stalls});
            EXPECT_TRUE(simulation.equal) << small[i] << ": " << simulation.difference;
        }
    }
}

TEST(Placement, FindsAClockForTheParts) {
    const Part part = part_named("ice40-hx8k");
    if (const std::string problem = placement_problem(part); !problem.empty())
        GTEST_SKIP() << problem;
    const Circuit circuit = test::random_circuit(7, 11, "ice40-hx8k");
    const double clock = placed_clock_mhz(circuit, {});
    EXPECT_GT(clock, 10);
    EXPECT_LT(clock, 500);
}

TEST(Synthesis, CountsWhatAPartNeeds) {
    if (const std::string problem = synthesis_problem(); !problem.empty()) GTEST_SKIP() << problem;
    const Circuit circuit = test::random_circuit(7, 11, "ice40-hx8k");
    const Resources counted = synthesise(circuit, {}), estimated = estimated_resources(circuit);
    EXPECT_GT(counted.lut, 0);
    EXPECT_GT(counted.ff, 0);
    EXPECT_LT(std::abs(double(estimated.ff - counted.ff)), 0.6 * double(counted.ff));
}

}  // namespace
}  // namespace edgeloop::accelerator::tools_test
