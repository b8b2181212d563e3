#include "edgeloop/deploy/evaluation.hpp"

#include "model/network.hpp"
#include "model/weights_file.hpp"
#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/error.hpp"

#include <cmath>
#include <filesystem>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::evaluation_test {
namespace {

using ::testing::HasSubstr;

// Two lines of a labelled layer, one too short, one without labels.
Predictions made_up() {
    Predictions predictions;
    predictions.targets = raise_targets();
    predictions.layers = {{"a,b.hdf5", "=C1", "layer1"}, {"C2.hdf5", "C2", "layer1"}};
    predictions.lines = {{0, 5, 30, true}, {0, 6, 3, false}, {1, 5, 31, true}, {1, 7, 32, true}};
    const float none = std::nanf("");
    predictions.predicted = {1, 1, none, none, 0.5F, 2, 1, 0.5F};
    predictions.expected = {1, 2, 1, 1, 1, 2, none, none};
    return predictions;
}

TEST(Predictions, AreATableInTheUnitsOfTheTargets) {
    EXPECT_EQ(to_csv(made_up()),
              "source,object,layer,scan_line,frames,predicted_speed_mm_s,predicted_power_w,"
              "true_speed_mm_s,true_power_w\n"
              "\"a,b.hdf5\",'=C1,layer1,5,30,900,215,900,430\n"
              "\"a,b.hdf5\",'=C1,layer1,6,3,,,900,215\n"
              "C2.hdf5,C2,layer1,5,31,450,430,900,430\n"
              "C2.hdf5,C2,layer1,7,32,900,107.5,,\n");
}

TEST(Predictions, OnlyWhatIsPredictedAndLabelledIsScored) {
    const Predictions predictions = made_up();
    EXPECT_EQ(predictions.left_out(), 1U);
    const ScoredWindows by_line = scored_windows(predictions, ResampledBy::line);
    EXPECT_EQ(by_line.windows(), 2U);
    EXPECT_EQ(by_line.predicted, (std::vector<float>{1, 1, 0.5F, 2}));
    EXPECT_EQ(by_line.expected, (std::vector<float>{1, 2, 1, 2}));
    EXPECT_NE(by_line.groups[0], by_line.groups[1]);
    const Scores scores = scores_of(by_line, {});
    EXPECT_NEAR(scores.rmse.value, std::sqrt((1 + 0.25) / 4), 1e-6);
}

TEST(Predictions, AreGroupedByLayerAndObject) {
    Predictions predictions = made_up();
    predictions.layers[1].object = "=C1";
    const auto by_layer = scored_windows(predictions, ResampledBy::layer).groups;
    const auto by_object = scored_windows(predictions, ResampledBy::object).groups;
    EXPECT_NE(by_layer[0], by_layer[1]);
    EXPECT_EQ(by_object[0], by_object[1]);
    EXPECT_EQ(usual_unit(predictions), ResampledBy::line) << "two layers are too few";
}

TEST(Predictions, TheLargestUnitOfWhichThereAreEnoughIsResampled) {
    Predictions many;
    many.targets = {{"depth", "um", 1}};
    for (std::size_t layer = 0; layer < 10; ++layer) {
        many.layers.push_back({"C1.hdf5", "C1", std::to_string(layer)});
        many.lines.push_back({layer, 1, 20, true});
        many.predicted.push_back(1);
        many.expected.push_back(1);
    }
    EXPECT_EQ(usual_unit(many), ResampledBy::layer);
    for (std::size_t layer = 0; layer < 10; ++layer)
        many.layers[layer].object = std::to_string(layer);
    EXPECT_EQ(usual_unit(many), ResampledBy::object);
    many.lines.pop_back();
    many.predicted.pop_back();
    many.expected.pop_back();
    EXPECT_EQ(usual_unit(many), ResampledBy::line);
}

TEST(Predictions, OfTwoNetworksTheCommonLinesStay) {
    Predictions one = made_up(), other = made_up();
    std::swap(other.layers[0], other.layers[1]);  // as found in another order
    for (PredictedLine& line : other.lines) line.layer = 1 - line.layer;
    one.predicted[0] = std::nanf("");
    keep_common_lines(one, other);
    ASSERT_EQ(one.lines.size(), 1U);
    ASSERT_EQ(other.lines.size(), 1U);
    EXPECT_EQ(one.lines[0].frames, 31U);
    EXPECT_EQ(other.lines[0].frames, 31U);
    EXPECT_EQ(one.predicted, (std::vector<float>{0.5F, 2}));
}

class EvaluationTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        folder_ = std::make_unique<test::TemporaryFolder>();
        shards_ = test::make_small_dataset(folder_->root());
        dataset_ = std::make_shared<const Dataset>(shards_);
        write_file_atomic(path("spec.json"), test::small_spec("{}"));
        for (const std::uint64_t seed : {1U, 2U}) write_weights(seed);
    }
    static void TearDownTestSuite() {
        dataset_.reset();
        folder_.reset();
    }
    static std::string path(const std::string& name) { return folder_->path(name); }
    static std::string weights(std::uint64_t seed) {
        return path(std::to_string(seed) + ".weights");
    }
    static void write_weights(std::uint64_t seed, int outputs = 2, float fill = 0) {
        const auto network =
            make_network(ArchitectureSpec::from_file(path("spec.json")), seed, outputs);
        if (fill != 0) network->output_bias().data().fill_(fill);
        write_file_atomic(weights(seed), encode_weights(weights_of(*network)));
    }
    static StoredNetwork network(std::uint64_t seed) {
        StoredNetwork made = stored_network(path("spec.json"), weights(seed));
        made.rules.margin = 0;
        made.rules.short_lines = ShortLines::pad;
        return made;
    }
    static std::string refusal(const StoredNetwork& of) {
        try {
            (void)evaluate_part(of, shards_, dataset_, {});
        } catch (const ConfigError& error) {
            return error.what();
        }
        return "no refusal";
    }

    static inline std::unique_ptr<test::TemporaryFolder> folder_;
    static inline std::string shards_;
    static inline std::shared_ptr<const Dataset> dataset_;
};

TEST_F(EvaluationTest, SaysWhatFollowsFromThePredictions) {
    const PartAssessment made = evaluate_part(network(1), shards_, dataset_, {});
    const std::size_t lines = dataset_->samples(SplitPart::test).size();
    ASSERT_GT(lines, 5U);
    ASSERT_EQ(made.predictions.lines.size(), lines);
    double squares = 0;
    for (std::size_t i = 0; i < 2 * lines; ++i) {
        EXPECT_EQ(made.predictions.expected[i],
                  dataset_->samples(SplitPart::test)[i / 2].targets[i % 2]);
        squares +=
            std::pow(double(made.predictions.predicted[i] - made.predictions.expected[i]), 2);
    }
    EXPECT_NEAR(made.assessment.scores.rmse.value, std::sqrt(squares / double(2 * lines)), 1e-6);
    EXPECT_EQ(made.assessment.without_network.size(), 6U);
    EXPECT_EQ(made.assessment.without_network[0].name, "mean of the training lines");
    EXPECT_THAT(to_text(made.assessment), HasSubstr("five moments"));
    EXPECT_EQ(to_json(made.assessment).at("scores").at("lines"), lines);
    EXPECT_EQ(to_json(made.assessment).at("baseline"), nullptr);
}

TEST_F(EvaluationTest, BatchesDoNotMatter) {
    EvaluationOptions one_by_one;
    one_by_one.batch = 1;
    const auto ours = evaluate_part(network(1), shards_, dataset_, {}).predictions;
    const auto theirs = evaluate_part(network(1), shards_, dataset_, one_by_one).predictions;
    ASSERT_EQ(ours.predicted.size(), theirs.predicted.size());
    for (std::size_t i = 0; i < ours.predicted.size(); ++i)
        EXPECT_NEAR(ours.predicted[i], theirs.predicted[i], 1e-5);
}

// The same lines, cut from the recordings by another way.
TEST_F(EvaluationTest, RecordingsGiveWhatTheirShardsGive) {
    const PartAssessment made = evaluate_part(network(1), shards_, dataset_, {});
    const StoredNetwork of = network(1);
    const Predictor predictor(of.spec, of.weights_file, 2);
    const Predictions all =
        predict_recordings(predictor, {path("raise/*.hdf5")}, raise_targets(),
                           dataset_->catalogue().crop, External::refuse, of.window(), 7);
    std::map<std::pair<std::string, std::int64_t>, std::size_t> places;
    for (std::size_t i = 0; i < all.lines.size(); ++i)
        places[{all.layers[all.lines[i].layer].layer, all.lines[i].scan_line}] = i;
    EXPECT_EQ(places.size(), 90U) << "6 layers of 15 lines";
    for (std::size_t i = 0; i < made.predictions.lines.size(); ++i) {
        const PredictedLine& line = made.predictions.lines[i];
        const std::size_t there =
            places.at({made.predictions.layers[line.layer].layer, line.scan_line});
        EXPECT_EQ(all.lines[there].frames, line.frames);
        for (const std::size_t t : {0U, 1U}) {
            EXPECT_NEAR(all.predicted[2 * there + t], made.predictions.predicted[2 * i + t], 1e-5);
            EXPECT_EQ(all.expected[2 * there + t], made.predictions.expected[2 * i + t]);
        }
    }
    for (std::size_t i = 1; i < all.lines.size(); ++i)
        EXPECT_TRUE(all.lines[i - 1].layer < all.lines[i].layer ||
                    all.lines[i - 1].scan_line < all.lines[i].scan_line)
            << "in the order of the file";
}

TEST_F(EvaluationTest, ARecordingKeepsTheRowsOfLinesThatAreTooShort) {
    const StoredNetwork of = network(1);
    const Predictor predictor(of.spec, of.weights_file, 2);
    const WindowRule all = of.window();
    WindowRule some = all;
    some.short_lines = ShortLines::skip;
    some.shortest_line = 20;
    const auto predict = [&](const WindowRule& rule) {
        return predict_recordings(predictor, {path("raise/*.hdf5")}, raise_targets(), Crop::causal,
                                  External::refuse, rule, 8);
    };
    const Predictions whole = predict(all), part = predict(some);
    EXPECT_EQ(part.lines.size(), whole.lines.size());
    EXPECT_GT(part.left_out(), 0U);
    EXPECT_LT(part.left_out(), part.lines.size());
    some.shortest_line = 4000;
    EXPECT_THROW((void)predict(some), ConfigError);
}

TEST_F(EvaluationTest, ANetworkIsAsGoodAsItself) {
    PartAssessment made = evaluate_part(network(1), shards_, dataset_, {});
    add_other(made.predictions, made.predictions, {}, made.assessment);
    EXPECT_EQ(made.assessment.ratio.all.low, 1);
    EXPECT_EQ(made.assessment.ratio.all.high, 1);
    made.assessment.other = "itself";
    EXPECT_THAT(to_text(made.assessment), HasSubstr("all 1.000 (1.000 to 1.000)"));
    EXPECT_EQ(to_json(made.assessment).at("baseline").at("ratio").at("value"), 1.0);
}

TEST_F(EvaluationTest, AnotherNetworkIsComparedOnTheLinesThatBothPredict) {
    StoredNetwork picky = network(2);
    picky.rules.short_lines = ShortLines::skip;
    picky.rules.shortest_line = 20;
    PartAssessment made = evaluate_part(network(1), shards_, dataset_, {});
    const Predictions other = predict_part(picky, shards_, dataset_, {});
    ASSERT_LT(other.lines.size(), made.predictions.lines.size());
    add_other(made.predictions, other, {}, made.assessment);
    EXPECT_EQ(made.assessment.ratio.windows, other.lines.size());
    EXPECT_EQ(made.assessment.scores.windows, made.predictions.lines.size());
    EXPECT_LT(made.assessment.ratio.all.low, made.assessment.ratio.all.high);
}

TEST_F(EvaluationTest, WhatDoesNotFitIsRefused) {
    StoredNetwork cropped = network(1);
    cropped.rules_known = true;
    cropped.rules.crop = Crop::published;
    EXPECT_THAT(refusal(cropped), HasSubstr("--crop published"));
    StoredNetwork of_depth = network(1);
    of_depth.targets = {{"depth", "um", 10}};
    EXPECT_THAT(refusal(of_depth), HasSubstr("predicts depth in um"));
    write_weights(3, 5);
    EXPECT_THAT(refusal(network(3)), HasSubstr("predicts 5 targets and the data have 2"));
    write_weights(4, 2, std::nanf(""));
    EXPECT_THAT(refusal(network(4)), HasSubstr("is no number"));
    StoredNetwork long_windows = network(1);
    long_windows.rules.short_lines = ShortLines::skip;
    long_windows.rules.margin = 1000;
    EXPECT_THAT(refusal(long_windows), HasSubstr("no line of the part 'test'"));
}

TEST_F(EvaluationTest, DamagedWeightsAreRefused) {
    const std::string whole = read_file(weights(1));
    const StoredNetwork broken = stored_network(path("spec.json"), weights(2));
    for (const std::string& bytes :
         {std::string(), whole.substr(0, 5), whole.substr(0, whole.size() / 2), whole + "x"}) {
        write_file_atomic(weights(2), bytes);
        EXPECT_THROW((void)predict_part(broken, shards_, dataset_, {}), ConfigError)
            << bytes.size();
    }
    // A file of 4 GiB, of which nothing is stored.
    write_file_atomic(weights(2), whole);
    std::filesystem::resize_file(weights(2), std::uintmax_t(1) << 32U);
    EXPECT_THAT(refusal(broken), HasSubstr("has 4294967296 bytes"));
    write_weights(2);
}

TEST_F(EvaluationTest, AFolderOfASearchIsANetwork) {
    make_directories(path("models/7"));
    EXPECT_THROW((void)stored_network(path("models/7")), ConfigError);
    write_file_atomic(path("models/7/spec.json"), test::small_spec("{}"));
    write_file_atomic(path("models/7/weights.safetensors"), read_file(weights(1)));
    const StoredNetwork found = stored_network(path("models/7"));
    EXPECT_EQ(found.name, path("models/7"));
    EXPECT_FALSE(found.rules_known);
    EXPECT_NO_THROW((void)predict_part(found, shards_, dataset_, {}));
}

TEST_F(EvaluationTest, OtherShardsThanThoseOfTheTrainingAreNoted) {
    StoredNetwork trained = network(1);
    trained.data_digest = dataset_->digest();
    const auto notes = evaluate_part(trained, shards_, dataset_, {}).assessment.notes;
    trained.data_digest = "another";
    EXPECT_EQ(evaluate_part(trained, shards_, dataset_, {}).assessment.notes.size(),
              notes.size() + 1);
}

}  // namespace
}  // namespace edgeloop::evaluation_test
