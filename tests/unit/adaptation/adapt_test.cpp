#include "edgeloop/adaptation/adapt.hpp"

#include "chains.hpp"
#include "support/blobs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/model_file.hpp"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <new>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

namespace {

std::atomic<std::size_t> held{0}, max_held{0};

void note(std::size_t bytes) {
    held += bytes;
    max_held = std::max(max_held.load(), held.load());
}

}  // namespace

// Replaced, to see how much is held at once. Inlined, GCC takes each for another's mismatched half.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* const memory = std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    note(malloc_usable_size(memory));
    return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    held -= malloc_usable_size(memory);
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    held -= malloc_usable_size(memory);
    std::free(memory);
}

namespace edgeloop::adaptation::adapt_test {
namespace {

using ::testing::HasSubstr;

class Adapt : public testing::Test {
  protected:
    AdaptOptions options(const test::Blobs& blobs = {}, int bits = 32) {
        write_file_atomic(model, inference::encode_model(test::blob_network(bits)));
        test::write_blobs(folder.path("labelled"), blobs);
        AdaptOptions options;
        options.model = model;
        options.labelled = folder.path("labelled");
        options.out = folder.path("adapted.elm");
        options.epochs = 25;
        options.batch = 8;
        options.learning_rate = 3e-3;
        return options;
    }
    const test::TemporaryFolder folder;
    const std::string model = folder.path("model.elm");
};

TEST_F(Adapt, WhatIsBetterIsWritten) {
    const AdaptOptions wanted = options();
    const AdaptReport report = adapt(wanted);
    ASSERT_TRUE(report.is_kept) << report.why_not;
    EXPECT_EQ(report.lines, 120U);
    EXPECT_EQ(report.held_back, 30U);
    for (const double r2 : report.after.r2) EXPECT_GT(r2, 0.8);
    EXPECT_LT(report.after.rmse, report.before.rmse);
    const inference::Graph graph = inference::read_model(wanted.out);
    EXPECT_THAT(graph.metadata.at("weights").get<std::string>(), testing::StartsWith("adapted "));
    EXPECT_EQ(graph.metadata.at("targets"), inference::read_model(model).metadata.at("targets"));
}

TEST_F(Adapt, IntegersStayIntegersAndAreJudgedAsSuch) {
    AdaptOptions wanted = options({}, 8);
    wanted.epochs = 40;
    const AdaptReport report = adapt(wanted);
    ASSERT_TRUE(report.is_kept) << report.why_not;
    EXPECT_TRUE(report.was_quantised);
    for (const double r2 : report.after.r2) EXPECT_GT(r2, 0.6);
    const inference::Graph before = inference::read_model(model);
    const inference::Graph after = inference::read_model(wanted.out);
    ASSERT_EQ(after.layers.size(), before.layers.size());
    for (std::size_t i = 0; i < before.layers.size(); ++i) {
        EXPECT_EQ(after.layers[i].integer.weight_bits, before.layers[i].integer.weight_bits);
        EXPECT_EQ(after.layers[i].integer.ratios, before.layers[i].integer.ratios);
    }
}

TEST_F(Adapt, NonsenseDoesNotReplaceTheModel) {
    test::Blobs blobs;
    blobs.has_nonsense = true;
    for (blobs.seed = 1; blobs.seed <= 2; ++blobs.seed) {
        AdaptOptions wanted = options(blobs);
        wanted.epochs = 15;
        const std::string before = read_file(model);
        const AdaptReport report = adapt(wanted);
        EXPECT_FALSE(report.is_kept);
        // It is far better than a model that has learnt nothing, and no better than a constant.
        EXPECT_THAT(report.why_not, HasSubstr("not better than the mean of the labels"));
        EXPECT_EQ(read_file(model), before);
        EXPECT_FALSE(std::filesystem::exists(wanted.out));
    }
}

TEST_F(Adapt, WhatDoesNotFitIsRefused) {
    const auto expect_refused = [](const AdaptOptions& wanted, const char* what) {
        try {
            (void)adapt(wanted);
            FAIL() << what;
        } catch (const ConfigError& error) {
            EXPECT_THAT(error.what(), HasSubstr(what));
        }
    };
    test::Blobs blobs;
    blobs.frames = 5;
    expect_refused(options(blobs), "clips of 5 frames");
    blobs.frames = 4;
    blobs.lines = 20;
    expect_refused(options(blobs), "has 20 lines, of which 5 are held back");
    AdaptOptions wanted = options();
    wanted.memory_limit_mib = 0.01;
    expect_refused(wanted, "cannot learn in");
    wanted.labelled = model;
    expect_refused(wanted, model.c_str());
}

TEST_F(Adapt, TheLimitHoldsTheStateOfLearning) {
    AdaptOptions wanted = options();
    wanted.epochs = 1;
    const AdaptReport whole = adapt(wanted);
    wanted.memory_limit_mib = static_cast<double>(whole.state_bytes() - 1024) / (1 << 20);
    const AdaptReport less = adapt(wanted);
    EXPECT_LE(less.state_bytes(), wanted.memory_limit_mib * (1 << 20));
    EXPECT_GT(less.segments, whole.segments);
    EXPECT_EQ(less.after.rmse, whole.after.rmse);
}

TEST(NetworkMemory, IsWhatItSays) {
    RandomStream random(1, "memory");
    for (int i = 0; i < 3; ++i) {
        const inference::Graph graph = all_layers(random);
        std::vector<float> clip(static_cast<std::size_t>(graph.input.elements()), 0.5F);
        const float slopes[] = {1, 1};
        inference::Graph given = graph;
        const std::size_t before = held;
        max_held = before;
        Network network(std::move(given), 0);
        (void)network.forward(clip.data());
        network.backward(slopes);
        // Layers of the graph and units; the weights change hands.
        constexpr std::size_t small_things = 16 << 10;
        EXPECT_LE(max_held - before, network.memory().total() + small_things);
        EXPECT_GE(max_held - before + network.memory().weights, network.memory().total());
    }
}

}  // namespace
}  // namespace edgeloop::adaptation::adapt_test
