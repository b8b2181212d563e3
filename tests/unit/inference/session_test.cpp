#include "edgeloop/inference/session.hpp"

#include "random_graphs.hpp"

#include "edgeloop/core/error.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

namespace edgeloop::inference::session_test {
namespace {

int designs() {
    const char* const text = std::getenv("EDGELOOP_DESIGNS");
    return text == nullptr ? 300 : std::atoi(text);
}

std::vector<float> run(const Graph& graph, const Values& clip, const SessionOptions& options) {
    Session session(graph, options);
    std::vector<float> result(static_cast<std::size_t>(session.outputs()), -1);
    for (int again = 0; again < 2; ++again) {  // memory that a run leaves behind is no input
        if (graph.input_elements.are_real())
            session.run(clip.real.data(), result.data());
        else
            session.run(clip.integers.data(), result.data());
    }
    return result;
}

std::string described(const Graph& graph) {
    std::string text;
    for (const Layer& layer : graph.layers)
        text += std::string(to_string(layer.operation)) + " " + std::to_string(layer.outputs) +
                " W" + std::to_string(layer.integer.weight_bits) + " A" +
                std::to_string(layer.integer.output_bits) + ", ";
    return text;
}

/// Each instruction set of the machine, with and without bit planes, on one or three threads.
void expect_equal(const Graph& graph, const Values& clip) {
    const std::vector<float> expected = evaluate(graph, clip).back().real;
    for (const Instructions instructions : available_instructions())
        for (const BitPlanes planes :
             {BitPlanes::never, BitPlanes::where_faster, BitPlanes::wherever_possible}) {
            SessionOptions options;
            options.instructions = instructions;
            options.bit_planes = planes;
            ASSERT_EQ(run(graph, clip, options), expected)
                << to_string(instructions) << ": " << described(graph);
        }
}

void expect_near(const Graph& graph, const Values& clip) {
    const std::vector<float> expected = evaluate(graph, clip).back().real;
    for (const Instructions instructions : available_instructions()) {
        SessionOptions options;
        options.instructions = instructions;
        const std::vector<float> result = run(graph, clip, options);
        ASSERT_EQ(result.size(), expected.size());
        for (std::size_t i = 0; i < result.size(); ++i)
            ASSERT_NEAR(result[i], expected[i], 1e-4 * std::max(1.0F, std::fabs(expected[i])))
                << to_string(instructions) << ": " << described(graph);
    }
}

TEST(Session, RandomIntegerDesignsEqualTheReferenceBitForBit) {
    RandomStream random(1, "integer designs");
    for (int i = 0; i < designs(); ++i) {
        const Graph graph = random_integer_graph(random);
        expect_equal(graph, random_clip(random, graph));
        if (HasFatalFailure()) FAIL() << "design " << i;
    }
}

TEST(Session, RandomFloatDesignsAreTheReferenceUpToRounding) {
    RandomStream random(2, "float designs");
    for (int i = 0; i < designs() / 3; ++i) {
        const Graph graph = random_float_graph(random);
        expect_near(graph, random_clip(random, graph));
        if (HasFatalFailure()) FAIL() << "design " << i;
    }
}

/// One layer after a convolution that makes its input.
Graph single(RandomStream& random, const Shape& shape, int input_bits_, const GraphMaker::Low& low,
             Operation operation, int outputs, const Triple& kernel, const Triple& stride) {
    GraphMaker maker(random, {1, shape.grid}, {input_bits, 7});
    maker.convolve(Operation::convolution, shape.channels, {1, 1, 1}, {1, 1, 1},
                   {8, input_bits_, WeightGrid::integers});
    maker.convolve(operation, outputs, kernel, stride, low);
    if (low.bits != 0) maker.dequantise(1);
    return maker.take();
}

TEST(Session, AllPairsOfBitsEqualTheReference) {
    RandomStream random(3, "pairs of bits");
    for (const WeightGrid grid : {WeightGrid::integers, WeightGrid::odd})
        for (int weight_bits = 1; weight_bits <= 8; ++weight_bits)
            for (const int bits : {1, 2, 3, 4, 8})
                for (const Operation operation : {Operation::convolution, Operation::depthwise}) {
                    const Graph graph =
                        single(random, {19, {2, 3, 7}}, bits, {weight_bits, bits, grid}, operation,
                               19, {3, 3, 3}, {1, 1, 1});
                    expect_equal(graph, random_clip(random, graph));
                    if (HasFatalFailure()) FAIL() << weight_bits << ' ' << bits;
                }
}

TEST(Session, OddShapesEqualTheReference) {
    RandomStream random(4, "odd shapes");
    struct Case {
        Shape shape;
        int outputs;
        Triple kernel, stride;
    };
    const Case cases[] = {
        {{1, {1, 1, 1}}, 1, {1, 1, 1}, {1, 1, 1}},     {{1, {1, 1, 1}}, 5, {3, 3, 3}, {1, 1, 1}},
        {{1, {2, 41, 41}}, 16, {3, 3, 3}, {1, 1, 1}},  {{1, {2, 41, 41}}, 17, {1, 5, 5}, {1, 2, 2}},
        {{3, {2, 9, 41}}, 65, {1, 3, 3}, {2, 3, 2}},   {{64, {1, 2, 5}}, 70, {1, 2, 4}, {1, 1, 1}},
        {{65, {1, 7, 2}}, 33, {1, 1, 1}, {1, 1, 1}},   {{130, {2, 5, 5}}, 32, {1, 1, 1}, {1, 1, 1}},
        {{16, {1, 4, 11}}, 16, {1, 31, 31}, {1, 4, 4}}};
    for (const Case& one : cases)
        for (const int bits : {1, 2, 8}) {
            const Graph graph = single(random, one.shape, bits, {bits, bits, WeightGrid::odd},
                                       Operation::convolution, one.outputs, one.kernel, one.stride);
            expect_equal(graph, random_clip(random, graph));
            if (HasFatalFailure()) FAIL() << one.shape.channels << ' ' << one.outputs;
        }
}

TEST(Session, TheLargestSumsAreExact) {
    for (const int weight : {-255, 255}) {
        GraphMaker::Low low{8, 0, WeightGrid::odd};
        RandomStream random(5, "largest");
        GraphMaker maker(random, {1, {1, 16, 16}}, {input_bits, 0});
        maker.convolve(Operation::convolution, 9, {1, 16, 16}, {1, 1, 1}, low);
        Graph graph = maker.take();
        graph.layers[0].before = graph.layers[0].after = {0, 0, 0};
        for (std::int16_t& q : graph.layers[0].integer.weights) q = std::int16_t(weight);
        Values clip;
        clip.integers.assign(256, 255);
        expect_equal(graph, clip);
    }
}

// Sums of 16 bits are emptied before they are full, also where all products are the largest.
TEST(Session, TheLargestShortSumsAreExact) {
    for (const auto& [weight_bits, grid] : {std::pair(2, WeightGrid::integers),
                                            {5, WeightGrid::integers},
                                            {6, WeightGrid::integers},
                                            {5, WeightGrid::odd},
                                            {7, WeightGrid::integers}})
        for (const int sign : {-1, 1}) {
            RandomStream random(7, "largest shorts");
            GraphMaker maker(random, {1, {1, 16, 16}}, {input_bits, 0});
            maker.convolve(Operation::convolution, 9, {1, 16, 16}, {1, 1, 1},
                           {weight_bits, 0, grid});
            Graph graph = maker.take();
            graph.layers[0].before = graph.layers[0].after = {0, 0, 0};
            for (std::int16_t& q : graph.layers[0].integer.weights)
                q = std::int16_t(sign * weight_range(weight_bits, grid).high);
            Values clip;
            clip.integers.assign(256, 255);
            expect_equal(graph, clip);
        }
}

TEST(Session, ThreadsDoNotChangeResults) {
    RandomStream random(6, "threads");
    for (int i = 0; i < 10; ++i) {
        const Graph graph = i % 2 == 0 ? random_float_graph(random) : random_integer_graph(random);
        const Values clip = random_clip(random, graph);
        SessionOptions one, three;
        three.threads = 3;
        ASSERT_EQ(run(graph, clip, one), run(graph, clip, three)) << described(graph);
    }
}

TEST(Session, ClipsOfFloatsAreRounded) {
    RandomStream random(7, "clips");
    GraphMaker maker(random, {1, {2, 5, 9}}, {input_bits, 115});
    maker.convolve(Operation::convolution, 3, {3, 3, 3}, {1, 1, 1}, {8, 0});
    Graph graph = maker.take();
    graph.metadata = {{"normalisation", {{"mean", 115.0 / 255}, {"deviation", 0.225}}}};
    std::vector<float> clip;
    Values integers;
    const auto inverse = float(255 * 0.225);
    for (int i = 0; i < 90; ++i) {
        clip.push_back(float(2.5 * random.normal()));
        integers.integers.push_back(clip_integer(clip.back(), inverse, 115));
    }
    for (const Instructions instructions : available_instructions()) {
        SessionOptions options;
        options.instructions = instructions;
        Session session(graph, options);
        std::vector<float> result(std::size_t(session.outputs()));
        session.run(clip.data(), result.data());
        EXPECT_EQ(result, evaluate(graph, integers).back().real) << to_string(instructions);
    }
}

TEST(Session, InstructionsAreChosenByName) {
    for (const Instructions instructions : available_instructions())
        EXPECT_EQ(instructions_from(to_string(instructions)), instructions);
    EXPECT_THROW((void)instructions_from("mmx"), ConfigError);
    EXPECT_EQ(available_instructions().front(), Instructions::portable);
}

}  // namespace
}  // namespace edgeloop::inference::session_test
