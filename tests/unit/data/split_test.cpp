#include "edgeloop/data/split.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace edgeloop::split_test {
namespace {

std::vector<SplitLayer> layers_of(const std::vector<std::string>& objects, int layers) {
    std::vector<SplitLayer> result;
    for (const std::string& object : objects)
        for (int layer = 0; layer < layers; ++layer)
            result.push_back({object, fmt::format("layer{:04}", layer), object + ".hdf5", true});
    return result;
}

std::map<SplitPart, std::size_t> count(const std::vector<SplitPart>& parts) {
    std::map<SplitPart, std::size_t> counts;
    for (const SplitPart part : parts) ++counts[part];
    return counts;
}

TEST(Split, DealsWholeLayersInTheAskedFractions) {
    SplitOptions options;
    options.validation_fraction = 0.2;
    options.test_fraction = 0.1;
    const auto counts = count(split_layers(layers_of({"A", "B"}, 50), options));
    EXPECT_EQ(counts.at(SplitPart::validation), 20U);
    EXPECT_EQ(counts.at(SplitPart::test), 10U);
    EXPECT_EQ(counts.at(SplitPart::train), 70U);
}

TEST(Split, DependsOnTheSeedAndNotOnTheOrderOfFiles) {
    std::vector<SplitLayer> layers = layers_of({"A", "B", "C"}, 10);
    SplitOptions options;
    options.seed = 4;
    const std::vector<SplitPart> parts = split_layers(layers, options);
    std::reverse(layers.begin(), layers.end());
    std::vector<SplitPart> reversed = split_layers(layers, options);
    std::reverse(reversed.begin(), reversed.end());
    EXPECT_EQ(parts, reversed);
    options.seed = 5;
    EXPECT_NE(split_layers(layers, options), reversed);
}

TEST(Split, KeepsObjectsWhole) {
    SplitOptions options;
    options.mode = SplitMode::object;
    const std::vector<SplitLayer> layers = layers_of({"A", "B", "C", "D", "E"}, 4);
    const std::vector<SplitPart> parts = split_layers(layers, options);
    std::map<std::string, std::set<SplitPart>> of_object;
    for (std::size_t i = 0; i < layers.size(); ++i) of_object[layers[i].object].insert(parts[i]);
    for (const auto& [object, seen] : of_object) EXPECT_EQ(seen.size(), 1U) << object;
    EXPECT_EQ(count(parts).size(), 3U);
}

TEST(Split, OfficialSplitFollowsThePublishedObjects) {
    std::vector<std::string> objects;
    for (int number = 27; number <= 42; ++number) objects.push_back("C0" + std::to_string(number));
    SplitOptions options;
    options.mode = SplitMode::official;
    const std::vector<SplitLayer> layers = layers_of(objects, 5);
    const std::vector<SplitPart> parts = split_layers(layers, options);
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const bool test = layers[i].object == "C029" || layers[i].object == "C032" ||
                          layers[i].object == "C035" || layers[i].object == "C040";
        EXPECT_EQ(parts[i] == SplitPart::test, test) << layers[i].object;
    }
    EXPECT_EQ(count(parts).at(SplitPart::validation), 9U) << "15 % of 60 training layers";
}

TEST(Split, OfficialSplitOfLayout10FollowsTheFiles) {
    std::vector<SplitLayer> layers = layers_of({"C001"}, 4);
    for (SplitLayer& layer : layers) layer.file = "RAISE_LPBF_train.hdf5";
    layers.push_back({"C002", "layer0000", "RAISE_LPBF_test.hdf5", true});
    SplitOptions options;
    options.mode = SplitMode::official;
    const std::vector<SplitPart> parts = split_layers(layers, options);
    EXPECT_EQ(parts.back(), SplitPart::test);
    EXPECT_EQ(count(parts).at(SplitPart::train), 3U);
}

TEST(Split, UnlabelledLayersAreForPredictionOnly) {
    std::vector<SplitLayer> layers = layers_of({"A"}, 6);
    layers[2].labelled = false;
    const std::vector<SplitPart> parts = split_layers(layers, {});
    EXPECT_EQ(parts[2], SplitPart::prediction);
    EXPECT_EQ(count(parts).at(SplitPart::prediction), 1U);
}

TEST(Split, SmallSetsKeepTrainingAndValidation) {
    const auto two = count(split_layers(layers_of({"A"}, 2), {}));
    EXPECT_EQ(two.at(SplitPart::train), 1U);
    EXPECT_EQ(two.at(SplitPart::validation), 1U);
    const auto three = count(split_layers(layers_of({"A"}, 3), {}));
    EXPECT_EQ(three.size(), 3U);
}

TEST(Split, RefusesWhatCannotBeSplit) {
    EXPECT_THROW((void)split_layers(layers_of({"A"}, 1), {}), ConfigError);
    std::vector<SplitLayer> twice = layers_of({"A"}, 3);
    twice.push_back(twice[0]);
    EXPECT_THROW((void)split_layers(twice, {}), ConfigError);
    SplitOptions options;
    options.mode = SplitMode::official;
    EXPECT_THROW((void)split_layers(layers_of({"C099"}, 4), options), ConfigError);
    options = {};
    options.validation_fraction = 0.6;
    options.test_fraction = 0.4;
    EXPECT_THROW((void)split_layers(layers_of({"A"}, 9), options), ConfigError);
    options.validation_fraction = 0;
    EXPECT_THROW((void)split_layers(layers_of({"A"}, 9), options), ConfigError);
}

}  // namespace
}  // namespace edgeloop::split_test
