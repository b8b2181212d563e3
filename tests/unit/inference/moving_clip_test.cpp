// Clips of a stream: what they have in common is not computed again, and no bit changes.
#include "random_graphs.hpp"

#include "edgeloop/inference/session.hpp"

#include <cstring>
#include <utility>

#include <gtest/gtest.h>

namespace edgeloop::inference::moving_clip_test {
namespace {

/// Frames of a stream, of what the graph takes.
struct Stream {
    Values frames;
    std::size_t frame_elements = 0;
};

Stream random_stream(RandomStream& random, Graph graph, int frames) {
    Stream stream;
    graph.input.grid[0] = 1;
    stream.frame_elements = std::size_t(graph.input.elements());
    graph.input.grid[0] = frames;
    stream.frames = random_clip(random, graph);
    return stream;
}

void run(Session& session, const Stream& stream, int frame, bool moved, float* result) {
    const std::size_t at = std::size_t(frame) * stream.frame_elements;
    if (stream.frames.integers.empty()) {
        const float* const from = stream.frames.real.data() + at;
        moved ? session.run_moved(from, result) : session.run(from, result);
    } else {
        const std::uint8_t* const from = stream.frames.integers.data() + at;
        moved ? session.run_moved(from, result) : session.run(from, result);
    }
}

/// @return whether the session has less to do for a clip that moved on.
bool expect_equal_bits(const Graph& graph, const Stream& stream, int windows,
                       SessionOptions options) {
    const int frames = graph.input.grid[0];
    Session moving(graph, options);
    const int stride = std::exchange(options.stride, 0);
    Session whole(graph, options);
    std::vector<float> expected(std::size_t(whole.outputs())), result(expected.size());
    for (int k = 0; k < windows; ++k) {
        run(whole, stream, k * stride, false, expected.data());
        const int fresh = k == 0 ? 0 : k * stride + frames - stride;
        run(moving, stream, fresh, k > 0, result.data());
        EXPECT_EQ(std::memcmp(result.data(), expected.data(), expected.size() * sizeof(float)), 0)
            << "window " << k << ", stride " << stride << ", " << to_string(options.instructions);
        if (testing::Test::HasFailure()) return false;
    }
    EXPECT_EQ(whole.work().whole, whole.work().moved);
    EXPECT_LE(moving.work().moved, moving.work().whole);
    return moving.work().moved < moving.work().whole;
}

TEST(MovingClip, RandomDesignsGiveTheBitsOfWholeClips) {
    RandomStream random(1, "moving clips");
    int designs = 0, with_less_work = 0;
    while (designs < 60) {
        const Graph graph =
            designs % 2 == 0 ? random_integer_graph(random) : random_float_graph(random);
        const int frames = graph.input.grid[0];
        if (frames < 2) continue;
        ++designs;
        constexpr int windows = 4;
        for (int stride = 1; stride < frames; ++stride) {
            const Stream stream = random_stream(random, graph, frames + (windows - 1) * stride);
            for (const Instructions instructions : available_instructions()) {
                SessionOptions options;
                options.instructions = instructions;
                options.stride = stride;
                if (expect_equal_bits(graph, stream, windows, options)) ++with_less_work;
                if (HasFailure()) FAIL() << "design " << designs;
            }
        }
    }
    EXPECT_GT(with_less_work, 60);
}

/// Two stages as cnn3d has them, on 16 frames.
Graph two_stages(RandomStream& random, const Triple& pool, bool has_norm, int bits) {
    GraphMaker maker(random, {1, {16, 9, 11}}, bits == 0 ? Elements{} : Elements{input_bits, 115});
    const GraphMaker::Low low{bits, bits};
    for (const int channels : {5, 7}) {
        maker.convolve(Operation::convolution, channels, {3, 3, 3}, {1, 1, 1}, low);
        if (has_norm) maker.norm();
        maker.max_pool(pool);
    }
    maker.mean(bits);
    maker.convolve(Operation::linear, 2, {1, 1, 1}, {1, 1, 1}, {bits, 0});
    return maker.take();
}

TEST(MovingClip, PoolsOverTimeAreParted) {
    RandomStream random(2, "pools");
    for (const int bits : {0, 4, 8})
        for (const Triple& pool : {Triple{1, 2, 2}, Triple{2, 2, 2}, Triple{2, 1, 1}})
            for (const int stride : {1, 2, 3, 4, 8, 15})
                for (const int threads : {1, 3}) {
                    const Graph graph = two_stages(random, pool, false, bits);
                    const Stream stream = random_stream(random, graph, 16 + 5 * stride);
                    SessionOptions options;
                    options.stride = stride;
                    options.threads = threads;
                    const bool has_less = expect_equal_bits(graph, stream, 6, options);
                    EXPECT_EQ(has_less, stride < 14) << stride;
                    if (HasFailure()) FAIL() << pool[0] << pool[1] << ", bits " << bits;
                }
}

TEST(MovingClip, ConvolutionsBeforeANormAreReused) {
    RandomStream random(3, "norms");
    const Graph graph = two_stages(random, {1, 2, 2}, true, 0);
    for (const int threads : {1, 3}) {
        SessionOptions options;
        options.stride = 2;
        options.threads = threads;
        EXPECT_TRUE(expect_equal_bits(graph, random_stream(random, graph, 30), 8, options));
    }
}

TEST(MovingClip, OnlyTheEndsAndWhatIsNewIsComputed) {
    RandomStream random(4, "work");
    const Graph graph = two_stages(random, {1, 1, 1}, false, 0);
    SessionOptions options;
    options.stride = 1;
    const Session session(graph, options);
    // Of 16 positions in time the first stage has those at both ends, which see padding, and the
    // one that saw it before; the second two at each end, and one.
    const std::int64_t position = 9 * 11, first = 27 * 5 * position, second = 27 * 5 * 7 * position;
    EXPECT_EQ(session.work().whole, 16 * (first + second) + 2 * 7);
    EXPECT_EQ(session.work().moved, 3 * first + 5 * second + 2 * 7);
}

}  // namespace
}  // namespace edgeloop::inference::moving_clip_test
