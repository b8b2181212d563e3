#include "edgeloop/inference/model_file.hpp"

#include "random_graphs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/inference/edgeloop_inference.h"
#include "edgeloop/preprocessing/frames.hpp"

#include <array>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::inference::model_file_test {
namespace {

using testing::HasSubstr;

Json metadata() {
    return {{"normalisation", {{"mean", 0.45}, {"deviation", 0.225}}},
            {"targets",
             {{{"name", "speed"}, {"unit", "mm/s"}, {"scale", 900}},
              {{"name", "power"}, {"unit", "W"}, {"scale", 215}}}}};
}

TEST(ModelFile, GraphsComeBackAsTheyWere) {
    RandomStream random(1, "files");
    for (int i = 0; i < 40; ++i) {
        Graph graph = i % 2 == 0 ? random_integer_graph(random) : random_float_graph(random);
        graph.metadata = metadata();
        const std::string bytes = encode_model(graph);
        const Graph again = decode_model(bytes, "a file");
        EXPECT_EQ(encode_model(again), bytes);
        EXPECT_EQ(again.metadata, graph.metadata);
        const Values clip = random_clip(random, graph);
        EXPECT_EQ(evaluate(again, clip).back().real, evaluate(graph, clip).back().real);
    }
}

TEST(ModelFile, WeightsAreStoredInTheirBits) {
    RandomStream random(2, "sizes");
    std::size_t smallest = 0;
    for (const int bits : {1, 2, 4, 8}) {
        GraphMaker maker(random, {1, {4, 16, 16}}, {input_bits, 0});
        maker.convolve(Operation::linear, 64, {1, 1, 1}, {1, 1, 1}, {bits, 0});
        const std::size_t bytes = encode_model(maker.take()).size();
        const std::size_t weights = std::size_t(64 * 1024 * bits) / 8;
        EXPECT_GE(bytes, weights);
        EXPECT_LE(bytes, weights + 2048);
        EXPECT_GT(bytes, smallest);
        smallest = bytes;
    }
}

/// A file, and what opening it says.
std::string problem_of(const std::string& bytes) {
    try {
        (void)decode_model(bytes, "the file");
    } catch (const CorruptState& error) {
        return error.what();
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "";
}

TEST(ModelFile, BrokenFilesAreRefusedInOneLine) {
    RandomStream random(3, "broken");
    const std::string bytes = encode_model(random_integer_graph(random));
    std::string other_version = bytes, other_order = bytes, flipped = bytes;
    other_version[4] = 9;
    std::swap(other_order[4], other_order[5]);
    flipped[bytes.size() / 2] = char(flipped[bytes.size() / 2] ^ 4);
    EXPECT_THAT(problem_of(bytes.substr(0, 20)), HasSubstr("the file"));
    EXPECT_THAT(problem_of(bytes.substr(0, bytes.size() - 1)), HasSubstr("header promises"));
    EXPECT_THAT(problem_of(other_version), HasSubstr("version 9"));
    EXPECT_THAT(problem_of(other_order), HasSubstr("version 256"));
    EXPECT_THAT(problem_of(flipped), HasSubstr("checksum"));
    EXPECT_THAT(problem_of("ELM?" + bytes.substr(4)), HasSubstr("not an edgeloop"));
    EXPECT_EQ(problem_of(bytes), "");
    for (const std::string& text : {problem_of(other_version), problem_of(flipped)})
        EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(ModelFile, GraphsThatCannotRunAreRefused) {
    RandomStream random(4, "refused");
    GraphMaker maker(random, {1, {2, 5, 5}}, {input_bits, 0});
    maker.convolve(Operation::convolution, 3, {3, 3, 3}, {1, 1, 1}, {2, 2});
    maker.convolve(Operation::linear, 2, {1, 1, 1}, {1, 1, 1}, {8, 0});
    const Graph sound = maker.take();
    (void)kinds_of(sound);
    const auto refused = [&](const auto& change) {
        Graph graph = sound;
        change(graph);
        EXPECT_THROW((void)kinds_of(graph), ConfigError);
        EXPECT_THROW((void)Session(graph), ConfigError);
    };
    refused([](Graph& g) { g.layers.clear(); });
    refused([](Graph& g) { g.layers.pop_back(); });  // ends in activations
    refused([](Graph& g) {
        g.layers[0].integer.weights[5] = 0;
        g.layers[0].integer.weights[6] = 2;
    });
    refused([](Graph& g) { g.layers[0].integer.weights.pop_back(); });
    refused([](Graph& g) { g.layers[0].integer.bias[0] = 2147483647; });
    refused([](Graph& g) { g.layers[0].integer.ratios[0].shift = 63; });
    refused([](Graph& g) { g.layers[0].integer.output_bits = 5; });
    refused([](Graph& g) { g.layers[0].kernel = {1 << 20, 1 << 20, 1 << 20}; });
    refused([](Graph& g) { g.layers[0].before = {0, 3, 0}; });
    refused([](Graph& g) { g.layers[0].activation = Activation::silu; });
    refused([](Graph& g) { g.layers[0].second = 0; });
    refused([](Graph& g) { g.layers[1].input = 2; });
    refused([](Graph& g) { g.layers[1].integer.scales[0] = -1; });
    refused([](Graph& g) { g.layers[1].operation = static_cast<Operation>(99); });
    refused([](Graph& g) { g.input.grid = {1 << 20, 1 << 20, 1}; });
    refused([](Graph& g) { g.input_elements.zero = 300; });
}

/// The clip that a crop is, by hand.
std::vector<float> normalised(const std::vector<std::uint8_t>& crops) {
    std::vector<float> clip;
    for (const std::uint8_t grey : crops) clip.push_back(float((grey / 255.0 - 0.45) / 0.225));
    return clip;
}

TEST(CropModel, CropsGiveWhatTheirClipsGive) {
    RandomStream random(5, "crops");
    std::vector<std::uint8_t> crops(3 * crop_pixels);
    for (std::uint8_t& grey : crops) grey = std::uint8_t(random.below(256));
    for (const bool is_integer : {false, true}) {
        GraphMaker maker(random, {1, {3, crop_side, crop_side}},
                         is_integer ? Elements{input_bits, 115} : Elements{});
        maker.convolve(Operation::convolution, 4, {3, 3, 3}, {1, 2, 2},
                       is_integer ? GraphMaker::Low{4, 4} : GraphMaker::Low{});
        maker.convolve(Operation::linear, 2, {1, 1, 1}, {1, 1, 1},
                       is_integer ? GraphMaker::Low{8, 0} : GraphMaker::Low{});
        Graph graph = maker.take();
        graph.metadata = metadata();
        Values clip;
        if (is_integer)
            clip.integers = crops;
        else
            clip.real = normalised(crops);
        const std::vector<float> expected = evaluate(graph, clip).back().real;
        CropModel model(graph);
        EXPECT_EQ(model.targets()[1].unit, "W");
        std::array<float, 2> of_crops{}, of_clip{};
        model.run(crops.data(), of_crops.data());
        model.run_clip(normalised(crops).data(), of_clip.data());
        EXPECT_NEAR(of_crops[0], 900 * expected[0], 1e-2);
        EXPECT_NEAR(of_crops[1], 215 * expected[1], 1e-2);
        EXPECT_NEAR(of_clip[0], of_crops[0], 1e-2);
    }
}

TEST(CropModel, ResizesWhereItsClipsAreLarger) {
    RandomStream random(6, "resized");
    GraphMaker maker(random, {1, {2, 64, 64}}, {});
    maker.mean(0);
    maker.convolve(Operation::linear, 2, {1, 1, 1}, {1, 1, 1}, {});
    Graph graph = maker.take();
    graph.layers.back().activation = Activation::none;
    graph.metadata = metadata();
    CropModel model(graph);
    EXPECT_EQ(model.side(), 64);
    std::vector<std::uint8_t> crops(2 * crop_pixels, 200);
    std::array<float, 2> values{};
    model.run(crops.data(), values.data());
    const auto x = float((200 / 255.0 - 0.45) / 0.225);
    Values clip;
    clip.real.assign(2 * 64 * 64, x);
    EXPECT_NEAR(values[0], 900 * evaluate(graph, clip).back().real[0], 0.5);
}

TEST(CInterface, LoadsRunsAndTellsWhatIsWrong) {
    RandomStream random(7, "c");
    GraphMaker maker(random, {1, {1, crop_side, crop_side}}, {input_bits, 115});
    maker.convolve(Operation::linear, 2, {1, 1, 1}, {1, 1, 1}, {2, 0});
    Graph graph = maker.take();
    graph.metadata = metadata();
    const test::TemporaryFolder folder;
    const std::string path = folder.path("model.elm");
    write_file_atomic(path, encode_model(graph));
    edgeloop_model* model = nullptr;
    std::array<char, 200> error{};
    ASSERT_EQ(edgeloop_model_load(path.c_str(), 2, nullptr, "portable", &model, error.data(),
                                  error.size()),
              0)
        << error.data();
    EXPECT_EQ(edgeloop_model_frames(model), 1);
    EXPECT_EQ(edgeloop_model_side(model), crop_side);
    EXPECT_EQ(edgeloop_model_crop_side(model), crop_side);
    EXPECT_EQ(edgeloop_model_targets(model), 2);
    EXPECT_STREQ(edgeloop_model_target_name(model, 0), "speed");
    EXPECT_STREQ(edgeloop_model_target_unit(model, 0), "mm/s");
    const std::vector<std::uint8_t> crops(crop_pixels, 9);
    std::array<float, 2> values{};
    edgeloop_model_run(model, crops.data(), values.data());
    Values clip;
    clip.integers = crops;
    EXPECT_FLOAT_EQ(values[0], 900 * evaluate(graph, clip).back().real[0]);
    edgeloop_model_free(model);

    const auto load = [&](const std::string& file, int threads, const char* instructions) {
        const int code = edgeloop_model_load(file.c_str(), threads, nullptr, instructions, &model,
                                             error.data(), error.size());
        EXPECT_EQ(model, nullptr);
        EXPECT_STRNE(error.data(), "");
        return code;
    };
    EXPECT_EQ(load(folder.path("none.elm"), 1, nullptr), 2);
    EXPECT_EQ(load(path, 0, nullptr), 2);
    EXPECT_EQ(load(path, 1, "mmx"), 2);
    write_file_atomic(path, "ELMF");
    EXPECT_EQ(load(path, 1, nullptr), 4);
    EXPECT_EQ(edgeloop_model_load(path.c_str(), 1, nullptr, nullptr, &model, nullptr, 0), 4);
}

}  // namespace
}  // namespace edgeloop::inference::model_file_test
