// From a search's weights to figures on unseen lines and to a folder to hand over.
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/safetensors.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

Words operator+(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

Words model(const std::string& command, const Words& more) {
    return Words{program("edgeloop-model"), command} + more;
}

std::size_t errors_in(const std::string& output) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = output.find(" error ", at)) != std::string::npos; ++at) ++count;
    return count;
}

std::set<std::string> names_in(const std::string& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
    return names;
}

// A small search whose front is deployed.
class Deploy : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        folder_ = std::make_unique<TemporaryFolder>();
        const auto made =
            run({program("edgeloop-search"), "--data", e2e_data("shards"), "--confirm", "0",
                 "--space", test_data("tiny_space.json"), "--population", "4", "--evaluations", "4",
                 "--edge", "model", "--seed", "11", "--save-weights", "--run-dir", run_dir()});
        ASSERT_EQ(made.code, 0) << made.output;
        const auto front = read_table(run_dir() + "/pareto.csv");
        best_ = column(front, "id").at(0);
        val_rmse_ = std::stod(column(front, "val_rmse").at(0));
    }
    static void TearDownTestSuite() { folder_.reset(); }

    static std::string path(const std::string& name) { return folder_->path(name); }
    static std::string run_dir() { return path("run"); }
    static std::string best() { return run_dir() + "/models/" + best_; }
    static Words evaluate(const Words& more) {
        return model("evaluate", Words{"--model", best(), "--data", e2e_data("shards")} + more);
    }
    static Json figures(const Words& words) {
        const auto result = run(words + Words{"--json"});
        EXPECT_EQ(result.code, 0) << result.output;
        return parse_json(result.output, "figures");
    }
    static double rmse_in(const Json& json) {
        return json.at("scores").at("rmse_normalised").at("value").get<double>();
    }

    static inline std::unique_ptr<TemporaryFolder> folder_;
    static inline std::string best_;
    static inline double val_rmse_ = 0;
};

TEST_F(Deploy, TheValidationPartGivesTheErrorOfTheSearch) {
    const Json json = figures(evaluate({"--part", "validation"}));
    EXPECT_NEAR(rmse_in(json), val_rmse_, 1e-5);
    EXPECT_EQ(json.at("data").at("part"), "validation");
}

TEST_F(Deploy, ThePredictionsHaveTheErrorThatIsPrinted) {
    const std::string csv = path("predictions.csv");
    const Json json = figures(evaluate({"--predictions", csv}));
    const auto table = read_table(csv);
    ASSERT_EQ(table.size() - 1, json.at("scores").at("lines").get<std::size_t>());
    double all = 0;
    for (const std::string target : {"speed_mm_s", "power_w"}) {
        const auto predicted = column(table, "predicted_" + target);
        const auto expected = column(table, "true_" + target);
        const double scale = target == "power_w" ? 215 : 900;
        double squares = 0;
        for (std::size_t i = 0; i < predicted.size(); ++i)
            squares += std::pow(std::stod(predicted[i]) - std::stod(expected[i]), 2) /
                       double(predicted.size());
        const Json& said = json.at("scores").at("targets").at(target == "power_w" ? 1 : 0);
        EXPECT_NEAR(said.at("rmse").at("value").get<double>(), std::sqrt(squares),
                    1e-5 * std::sqrt(squares));
        all += squares / (scale * scale) / 2;
    }
    EXPECT_NEAR(rmse_in(json), std::sqrt(all), 1e-5);
    EXPECT_EQ(figures(evaluate({})), json) << "the same again";
    EXPECT_EQ(figures(evaluate({"--threads", "2", "--batch", "3"})).at("scores").at("lines"),
              json.at("scores").at("lines"));
    const auto text = run(evaluate({}));
    EXPECT_THAT(text.output, AllOf(HasSubstr("95 % interval from"), HasSubstr("five moments"),
                                   HasSubstr("over speed mm/s"), HasSubstr("over power W")));
}

TEST_F(Deploy, ABaselineIsComparedInTheSameCall) {
    const Json same = figures(evaluate({"--baseline", best()}));
    EXPECT_EQ(same.at("baseline").at("ratio").at("low"), 1.0);
    EXPECT_EQ(same.at("baseline").at("ratio").at("high"), 1.0);
    const Json by_files =
        figures(evaluate({"--baseline", best() + "/spec.json", "--baseline-weights",
                          best() + "/weights.safetensors"}));
    EXPECT_EQ(by_files.at("baseline").at("ratio"), same.at("baseline").at("ratio"));
}

TEST_F(Deploy, RecordingsWithoutLabelsArePredictedInTheOrderOfTheFile) {
    const auto made =
        run({program("edgeloop-data"), "synth", "--output", path("raise"), "--objects", "3",
             "--layers", "2", "--lines", "5", "--seed", "4", "--hide-test-labels"});
    ASSERT_EQ(made.code, 0) << made.output;
    const std::string csv = path("unlabelled.csv"), recording = path("raise/C029.hdf5");
    const Words words =
        model("evaluate", {"--model", best(), "--recording", recording, "--predictions", csv});
    const auto result = run(words);
    EXPECT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("none of them labelled"));
    const auto table = read_table(csv);
    const auto layers = column(table, "layer"), lines = column(table, "scan_line");
    ASSERT_GT(layers.size(), 5U);
    EXPECT_EQ(std::set<std::string>(layers.begin(), layers.end()).size(), 2U);
    for (std::size_t i = 1; i < layers.size(); ++i)
        EXPECT_TRUE(layers[i - 1] < layers[i] ||
                    (layers[i - 1] == layers[i] && std::stoi(lines[i - 1]) < std::stoi(lines[i])));
    EXPECT_EQ(column(table, "true_speed_mm_s"), Words(layers.size(), ""));
    const auto predicted = column(table, "predicted_speed_mm_s");
    EXPECT_GT(std::count_if(predicted.begin(), predicted.end(),
                            [](const std::string& cell) { return !cell.empty(); }),
              0);
    // One with labels is scored as well.
    const Json json = figures(model("evaluate", {"--model", best(), "--recording",
                                                 path("raise/C027.hdf5"), "--predictions", csv}));
    EXPECT_GT(rmse_in(json), 0);
}

TEST_F(Deploy, WhatIsWrongIsSaidInOneLineAndNothingIsWritten) {
    const std::string shards = e2e_data("shards"), spec = best() + "/spec.json";
    const std::string weights = best() + "/weights.safetensors", out = path("never");
    const std::string broken = path("broken.safetensors"), huge = path("huge.safetensors");
    write_file_atomic(broken, read_file(weights).substr(0, 200));
    write_file_atomic(huge, read_file(weights));
    fs::resize_file(huge, std::uintmax_t(1) << 32U);  // sparse
    const Words on_shards{"--data", shards, "--predictions", out};
    const std::vector<std::pair<Words, std::string>> mistakes{
        {model("evaluate", Words{"--spec", spec, "--weights", broken} + on_shards), "broken"},
        {model("evaluate", Words{"--spec", spec, "--weights", huge} + on_shards), "4294967296"},
        {model("evaluate", Words{"--spec", "cnn3d-baseline", "--weights", weights} + on_shards),
         "weights"},
        {model("evaluate", Words{"--model", path("none")} + on_shards), "holds no trained network"},
        {model("evaluate", Words{"--spec", spec} + on_shards), "belong together"},
        {model("evaluate", {"--model", best(), "--data", path("none"), "--predictions", out}),
         "none"},
        {model("evaluate", {"--model", best()}), "--data or --recording"},
        {model("evaluate", {"--model", best(), "--recording", weights, "--predictions", out}),
         "weights.safetensors"},
        {evaluate({"--predictions", out + "/in/no/folder"}), "no/folder"},
        {evaluate({"--part", "prediction", "--predictions", out}), "part 'prediction'"},
        {evaluate({"--margin", "1000", "--predictions", out}), "no line"},
        {evaluate({"--baseline", spec, "--predictions", out}), "holds no trained network"},
        {model("deploy", {"--from", run_dir(), "--select", "999", "--data", shards, "--out", out}),
         "999"},
        {model("deploy", {"--from", path("none"), "--data", shards, "--out", out}), "none"},
        {model("deploy", {"--from", run_dir(), "--data", path("none"), "--out", out}), "none"},
        {model("deploy", {"--data", shards, "--out", out}), "nothing to deploy"},
        {model("deploy", {"--from", run_dir(), "--data", shards, "--out", run_dir()}),
         "is there already"}};
    const std::set<std::string> before = names_in(folder_->root());
    for (const auto& [words, says] : mistakes) {
        const auto result = run(words);
        EXPECT_EQ(result.code, 2) << testing::PrintToString(words) << result.output;
        EXPECT_EQ(errors_in(result.output), 1U) << result.output;
        EXPECT_THAT(result.output, HasSubstr(says));
    }
    EXPECT_EQ(names_in(folder_->root()), before);
}

// The programs of a hand-over folder, run where their runtime is.
class HandedOver : public Deploy {
  protected:
    static void SetUpTestSuite() {
        Deploy::SetUpTestSuite();
        const auto made = run(model("deploy", {"--from", run_dir(), "--select", "best", "--data",
                                               e2e_data("shards"), "--out", path("out"), "--files",
                                               "model.onnx", "model.pt", "model-crops.pt"}));
        ASSERT_EQ(made.code, 0) << made.output;
        EXPECT_THAT(made.output, HasSubstr("68 test vectors"));
    }

    static ProgramResult check(const Words& with, const std::string& file) {
        return run(with + Words{path("out/" + file)});
    }
    // Debian's Python, which has Debian's modules. Empty: it lacks the module.
    static Words python_with(const std::string& module) {
        const std::string python = module == "onnxruntime"
                                       ? in_source("build/onnxruntime-venv/bin/python")
                                       : "/usr/bin/python3";
        if (!fs::exists(python) || run({python, "-c", "import numpy, " + module}).code != 0)
            return {};
        return {python, path("out/check.py")};
    }
    // Changes an expected answer of a vector, and back.
    static void change_vector(const std::string& file, std::size_t vector) {
        const std::string name = path("out/" + file + ".vectors.safetensors");
        const std::string bytes = read_file(name);
        SafeTensors content = decode_safetensors(bytes, name);
        std::string expected(content.tensors.at("expected").bytes);
        float value = 0;
        std::memcpy(&value, &expected[2 * sizeof(float) * vector], sizeof value);
        value += std::abs(value) + 1;
        std::memcpy(&expected[2 * sizeof(float) * vector], &value, sizeof value);
        content.tensors.at("expected").bytes = expected;
        write_file_atomic(name, encode_safetensors(content));
    }
    static void expect_checks(const Words& with, const std::string& file) {
        const auto good = check(with, file);
        EXPECT_EQ(good.code, 0) << good.output;
        EXPECT_THAT(good.output, HasSubstr(file + ": ok, 68 vectors"));
        const std::string vectors = path("out/" + file + ".vectors.safetensors");
        const std::string whole = read_file(vectors);
        change_vector(file, 7);
        const auto bad = check(with, file);
        EXPECT_EQ(bad.code, 1) << bad.output;
        EXPECT_THAT(bad.output, AllOf(HasSubstr("vector 7 "), Not(HasSubstr("vector 8 ")),
                                      HasSubstr("1 of 68 vectors differ")));
        write_file_atomic(vectors, whole);
    }
};

TEST_F(HandedOver, ThePythonProgramChecksTorchScript) {
    const Words python = python_with("torch");
    if (python.empty()) GTEST_SKIP() << "there is no python3-torch";
    expect_checks(python, "model.pt");
    expect_checks(python, "model-crops.pt");
}

TEST_F(HandedOver, ThePythonProgramChecksOnnx) {
    const Words python = python_with("onnxruntime");
    if (python.empty()) GTEST_SKIP() << "there is no ONNX Runtime in Python";
    expect_checks(python, "model.onnx");
}

TEST_F(HandedOver, TheCppProgramChecksOnnx) {
    const std::string built = test_program("handover_check");
    if (!fs::exists(built)) GTEST_SKIP() << "the build found no ONNX Runtime";
    expect_checks({built}, "model.onnx");
}

TEST_F(HandedOver, TheFolderIsANetworkThatCanBeEvaluated) {
    EXPECT_EQ(
        rmse_in(figures(model("evaluate", {"--model", path("out"), "--data", e2e_data("shards")}))),
        rmse_in(read_json_file(path("out/evaluation.json"))));
    const std::string card = read_file(path("out/MODEL_CARD.md"));
    EXPECT_THAT(card, AllOf(HasSubstr("Not trained in full"),
                            HasSubstr("Design " + best_ + " of the search"), HasSubstr("## Limits"),
                            HasSubstr("computed by a model")));
}

}  // namespace
}  // namespace edgeloop::test
