#include "stream_run.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/inference/networks.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

std::atomic<std::size_t> requests{0};

}  // namespace

// Replaced, to see how often memory is asked for. Inlined, GCC takes each for another's mismatched
// half.
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++requests;
    if (void* const memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace edgeloop::stream_run_test {
namespace {

using ::testing::HasSubstr;

inference::Graph small_model() {
    const Json text = {{"family", "cnn3d"},
                       {"architecture",
                        {{"stages",
                          {{{"channels", 3}, {"kernel", {3, 3, 3}}, {"pool", {1, 2, 2}}},
                           {{"channels", 4}, {"kernel", {3, 3, 3}}, {"pool", {2, 2, 2}}}}},
                         {"hidden", {8}},
                         {"norm", "none"},
                         {"dropout", 0},
                         {"reduce", "flatten"}}},
                       {"clip", {{"frames", 8}, {"stride", 1}, {"side", 12}}}};
    inference::Graph graph = inference::random_graph_of(ArchitectureSpec::from_json(text, "test"));
    graph.metadata["targets"] = {{{"name", "speed"}, {"unit", "mm/s"}, {"scale", 1000}},
                                 {{"name", "power"}, {"unit", "W"}, {"scale", 100}}};
    return graph;
}

std::string random_frames(int count, std::size_t pixels) {
    RandomStream random(1, "frames");
    std::string frames(std::size_t(count) * pixels, '\0');
    for (char& pixel : frames) pixel = static_cast<char>(random.below(256));
    return frames;
}

/// What a stream of these frames gives, as bytes of PredictionFormat::binary.
std::string predictions(const std::string& frames, const StreamSettings& settings) {
    const test::TemporaryFolder folder;
    write_file_atomic(folder.path("frames"), frames);
    inference::SessionOptions options;
    options.stride = reused_stride(settings, 8);
    inference::CropModel model(small_model(), options);
    FrameSource source({folder.path("frames"), settings.height, settings.width, 1, {}});
    PredictionSink sink({folder.path("out"), PredictionFormat::binary, 1}, model.targets());
    StreamRun(model, settings).run(source, sink);
    return read_file(folder.path("out"));
}

struct Prediction {
    std::uint64_t frame = 0;
    float values[2] = {};
};

std::vector<Prediction> decoded(const std::string& bytes) {
    std::vector<Prediction> list(bytes.size() / sizeof(Prediction));
    EXPECT_EQ(bytes.size(), list.size() * 16);
    std::memcpy(list.data(), bytes.data(), bytes.size());
    return list;
}

TEST(StreamRun, EachWindowIsThatOfTheCropModel) {
    constexpr int height = 50, width = 60, count = 41;
    const std::string frames = random_frames(count, height * width);
    inference::CropModel model(small_model());
    for (const int stride : {1, 2, 3, 7, 8, 11})
        for (const bool has_reuse : {true, false}) {
            StreamSettings settings;
            settings.height = height;
            settings.width = width;
            settings.stride = stride;
            settings.has_reuse = has_reuse;
            settings.centre = PixelPosition{24, 31};
            const auto list = decoded(predictions(frames, settings));
            ASSERT_EQ(list.size(), std::size_t((count - 8) / stride + 1));
            for (std::size_t k = 0; k < list.size(); ++k) {
                std::vector<std::uint8_t> crops(8 * crop_pixels);
                const auto* const from = reinterpret_cast<const std::uint8_t*>(frames.data());
                for (std::size_t i = 0; i < 8; ++i)
                    crop_frame(from + (k * std::size_t(stride) + i) * height * width, height, width,
                               {24, 31}, crops.data() + i * crop_pixels);
                float values[2];
                model.run(crops.data(), values);
                ASSERT_EQ(list[k].frame, k * std::size_t(stride) + 7);
                ASSERT_EQ(std::memcmp(list[k].values, values, sizeof values), 0)
                    << "window " << k << ", stride " << stride;
            }
        }
}

TEST(StreamRun, TheCropIsWhereTheFirstFramesAreBrightest) {
    std::string frames = random_frames(20, 64 * 64);
    for (std::size_t i = 0; i < 6; ++i) {
        frames[(i * 64 + 20) * 64 + 40] = '\xff';
        for (std::size_t p = 0; p < 64 * 64; ++p)
            if (p != 20 * 64 + 40)
                frames[i * 64 * 64 + p] =
                    static_cast<char>(static_cast<unsigned char>(frames[i * 64 * 64 + p]) / 4);
    }
    StreamSettings settings;
    settings.height = settings.width = 64;
    settings.stride = 4;
    MeanFrame mean(64, 64);
    for (std::size_t i = 0; i < 6; ++i)
        mean.add(reinterpret_cast<const std::uint8_t*>(frames.data()) + i * 64 * 64);
    const std::string found = predictions(frames, settings);
    settings.centre = mean.middle_of_brightest();
    EXPECT_EQ(found, predictions(frames, settings));
    settings.centre = PixelPosition{5, 5};
    EXPECT_NE(found, predictions(frames, settings));
}

TEST(StreamRun, TheLoopAllocatesNothing) {
    const auto asked_for = [](int count) {
        const std::string frames = random_frames(count, crop_pixels);
        const test::TemporaryFolder folder;
        write_file_atomic(folder.path("frames"), frames);
        StreamSettings settings;
        settings.stride = 2;
        inference::SessionOptions options;
        options.stride = 2;
        inference::CropModel model(small_model(), options);
        FrameSource source({folder.path("frames"), crop_side, crop_side, 1, {}});
        PredictionSink sink({folder.path("out"), PredictionFormat::csv, 1}, model.targets());
        StreamRun run(model, settings);
        const std::size_t before = requests;
        run.run(source, sink);
        const std::size_t after = requests;
        EXPECT_EQ(run.figures().windows, (count - 8) / 2 + 1);
        return after - before;
    };
    EXPECT_EQ(asked_for(1000), asked_for(10));
}

TEST(StreamRun, FewerFramesThanAWindowAreRefused) {
    StreamSettings settings;
    settings.stride = 1;
    EXPECT_THROW((void)predictions(random_frames(7, crop_pixels), settings), ConfigError);
}

TEST(LatencyHistogram, QuantilesAreThoseOfTheSortedListToAPercent) {
    RandomStream random(2, "latencies");
    LatencyHistogram histogram;
    std::vector<std::uint64_t> list;
    for (int i = 0; i < 20000; ++i) {
        list.push_back(static_cast<std::uint64_t>(std::exp(random.uniform(0, 30))));
        histogram.add(list.back());
    }
    std::sort(list.begin(), list.end());
    for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 1.0}) {
        const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(q * 20000)));
        const auto expected = static_cast<double>(list[rank - 1]);
        const auto found = static_cast<double>(histogram.quantile(q));
        EXPECT_GE(found, expected);
        EXPECT_LE(found, expected * 1.008 + 1);
    }
    EXPECT_EQ(histogram.worst(), list.back());
    EXPECT_EQ(histogram.quantile(1), list.back());
    EXPECT_EQ(LatencyHistogram().quantile(0.5), 0U);
    LatencyHistogram extreme;
    extreme.add(~std::uint64_t{0});
    EXPECT_EQ(extreme.quantile(0.5), ~std::uint64_t{0});
}

}  // namespace
}  // namespace edgeloop::stream_run_test
