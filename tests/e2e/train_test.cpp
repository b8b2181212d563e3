// edgeloop-model train: from a search's run directory to a trained folder, killed and resumed.
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/json.hpp"

#include <csignal>
#include <filesystem>
#include <memory>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

Words operator+(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

// Real networks that train in milliseconds, with modelled latency.
Words search(const std::string& run_dir, const Words& more = {}) {
    return Words{program("edgeloop-search"),
                 "--data",
                 e2e_data("shards"),
                 "--space",
                 test_data("tiny_space.json"),
                 "--edge",
                 "model",
                 "--population",
                 "4",
                 "--seed",
                 "11",
                 "--run-dir",
                 run_dir} +
           more;
}

/// A small search that all tests select from.
class TrainProgram : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        shared_ = std::make_unique<TemporaryFolder>();
        const auto result = run(search(run_dir(), {"--evaluations", "6", "--save-weights"}));
        ASSERT_EQ(result.code, 0) << result.output;
    }
    static void TearDownTestSuite() { shared_.reset(); }
    static std::string run_dir() { return shared_->path("run"); }
    [[nodiscard]] Words train(const std::string& out, const Words& more = {},
                              const std::string& shards = e2e_data("shards")) const {
        return Words{program("edgeloop-model"),
                     "train",
                     "--from",
                     run_dir(),
                     "--data",
                     shards,
                     "--out",
                     folder_.path(out)} +
               more;
    }
    [[nodiscard]] std::string bytes(const std::string& file) const {
        return read_file(folder_.path(file));
    }
    [[nodiscard]] std::vector<std::string> curve(const std::string& out,
                                                 const std::string& name) const {
        return column(read_table(folder_.path(out + "/curve.csv")), name);
    }
    /// Starts it and kills it without warning when so many epochs are in its curve.
    void kill_at(const Words& command, const std::string& out, std::size_t epochs) const {
        ChildOptions options;
        options.arguments = command;
        options.output_file = folder_.path("log");
        ChildProcess child(options);
        ASSERT_TRUE(wait_for_lines(folder_.path(out + "/curve.csv"), epochs + 1))
            << read_file(options.output_file);
        ::kill(child.pid(), SIGKILL);
        const auto exit = child.wait_for(20);
        ASSERT_TRUE(exit);
        ASSERT_EQ(exit->signal, SIGKILL) << "it ended before: " << read_file(options.output_file);
        ASSERT_FALSE(fs::exists(folder_.path(out + "/training.json")));
    }
    /// One line that says this, with this exit code, and no model.
    void expect_refused(const Words& command, int code, const std::string& says) const {
        const auto result = run(command);
        EXPECT_EQ(result.code, code) << result.output;
        EXPECT_THAT(result.output, HasSubstr(says));
        std::size_t errors = 0;
        for (std::size_t at = result.output.find("error"); at != std::string::npos;
             at = result.output.find("error", at + 1))
            ++errors;
        EXPECT_LE(errors, 1u) << result.output;
        EXPECT_FALSE(fs::exists(folder_.path("refused/training.json")));
    }

    TemporaryFolder folder_;

  private:
    static inline std::unique_ptr<TemporaryFolder> shared_;
};

TEST_F(TrainProgram, WhatIsTrainedIsWhatWasSearched) {
    const auto result = run(train("out", {"--select", "best", "--epochs", "12"}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("epoch 12/12 | rate "));
    EXPECT_THAT(result.output, HasSubstr("kept epoch "));
    EXPECT_THAT(result.output, HasSubstr(" in the search"));
    EXPECT_THAT(result.output, Not(HasSubstr("not those of the search")));
    EXPECT_EQ(curve("out", "epoch").size(), 12u);
    const Json record = read_json_file(folder_.path("out/training.json"));
    const std::string id = std::to_string(record.at("from").at("id").get<int>());
    const auto table = read_table(run_dir() + "/pareto.csv");
    EXPECT_EQ(id, column(table, "id").front()) << "the table begins with the best";
    EXPECT_EQ(record.at("from").at("objectives").at("val_rmse").get<double>(),
              std::stod(column(table, "val_rmse").front()));
    EXPECT_TRUE(record.at("search").at("is_modelled").get<bool>());
    Json searched = read_json_file(run_dir() + "/models/" + id + "/spec.json");
    searched["training"]["epochs"] = 12;
    const Json trained = read_json_file(folder_.path("out/spec.json"));
    EXPECT_EQ(trained, searched);
    // Samples as in the search.
    const Json conditions = read_json_file(run_dir() + "/conditions.json");
    const Json& before = conditions.at("conditions").at(0).at("training");
    const Json& window = record.at("window");
    EXPECT_EQ(window.at("margin").dump(), before.at("margin").get<std::string>());
    EXPECT_EQ(window.at("shortest_line").dump(), before.at("shortest-line").get<std::string>());
    EXPECT_EQ(window.at("augment").dump(), before.at("augment").get<std::string>());
    EXPECT_EQ(window.at("data_seed"), 11);
    EXPECT_EQ(record.at("dataset").at("digest"), before.at("data"));
    // What it left can be exported.
    const auto exported = run(
        {program("edgeloop-model"), "export", "--spec", folder_.path("out/spec.json"), "--weights",
         folder_.path("out/weights.safetensors"), "--output", folder_.path("model.onnx")});
    EXPECT_EQ(exported.code, 0) << exported.output;
}

TEST_F(TrainProgram, KilledItGoesOnToTheSameCurveAndFile) {
    const Words how{"--epochs", "100", "--average", "--repeats", "2"};
    ASSERT_EQ(run(train("whole", how)).code, 0);
    kill_at(train("killed", how), "killed", 5);
    kill_at(train("killed", how + Words{"--resume"}), "killed", 110);
    const auto resumed = run(train("killed", how + Words{"--resume"}));
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_THAT(resumed.output, HasSubstr("repeat 2/2 | goes on after "));
    for (const char* file : {"curve.csv", "weights.safetensors", "spec.json", "training.json"})
        EXPECT_EQ(bytes(std::string("killed/") + file), bytes(std::string("whole/") + file))
            << file;
    EXPECT_EQ(curve("whole", "averaged_val_rmse").size(), 200u);
    EXPECT_FALSE(fs::exists(folder_.path("killed/training")));
    EXPECT_THAT(resumed.output, HasSubstr("val_rmse of 2 seeds: mean "));
}

TEST_F(TrainProgram, ASignalStopsItWithItsStateAndRanksTrainTogether) {
    const Words how{"--epochs", "200", "--select", "fastest"};
    ASSERT_EQ(run(mpirun(2, train("whole", how))).code, 0);
    ChildOptions options;
    options.arguments = mpirun(2, train("stopped", how));
    options.output_file = folder_.path("log");
    {
        ChildProcess child(options);
        ASSERT_TRUE(wait_for_lines(folder_.path("stopped/curve.csv"), 4))
            << read_file(options.output_file);
        ::kill(child.pid(), SIGTERM);  // mpirun passes it on
        ASSERT_TRUE(child.wait_for(60)) << read_file(options.output_file);
    }
    ASSERT_FALSE(fs::exists(folder_.path("stopped/training.json")));
    const auto other = run(train("stopped", how + Words{"--resume"}));
    EXPECT_EQ(other.code, 2) << other.output;
    EXPECT_THAT(other.output, HasSubstr("begun with ranks 2, now 1"));
    const auto resumed = run(mpirun(2, train("stopped", how + Words{"--resume"})));
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    for (const char* file : {"curve.csv", "weights.safetensors"})
        EXPECT_EQ(bytes(std::string("stopped/") + file), bytes(std::string("whole/") + file))
            << file;
}

TEST_F(TrainProgram, WithoutASearchADesignIsTrainedByItsFile) {
    const std::string id = column(read_table(run_dir() + "/pareto.csv"), "id").front();
    const Words by_file{program("edgeloop-model"),
                        "train",
                        "--spec",
                        run_dir() + "/models/" + id + "/spec.json",
                        "--data",
                        e2e_data("shards")};
    const auto result = run(by_file + Words{"--out", folder_.path("out"), "--patience", "3",
                                            "--epochs", "40", "--learning-rate", "1e-9"});
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(curve("out", "epoch").size(), 4u) << "it stopped on its plateau";
    EXPECT_TRUE(read_json_file(folder_.path("out/training.json")).at("from").is_null());
    const auto refused = run(by_file + Words{"--out", folder_.path("out")});
    EXPECT_EQ(refused.code, 2);
    EXPECT_THAT(refused.output, HasSubstr("holds a training already"));
    EXPECT_EQ(run(by_file + Words{"--out", folder_.path("out"), "--overwrite"}).code, 0);
    EXPECT_EQ(curve("out", "epoch").size(), 1u) << "as many epochs as its recipe says";
}

TEST_F(TrainProgram, ABatchMayPassThroughTheNetworkInParts) {
    const std::string id = column(read_table(run_dir() + "/pareto.csv"), "id").front();
    Json spec = read_json_file(run_dir() + "/models/" + id + "/spec.json");
    const auto trained = [&](const std::string& name, int micro_batch) {
        spec["training"]["micro_batch"] = micro_batch;
        const std::string file = folder_.path(name + ".json");
        write_file_atomic(file, spec.dump());
        const auto result = run({program("edgeloop-model"), "train", "--spec", file, "--data",
                                 e2e_data("shards"), "--out", folder_.path(name), "--epochs", "3"});
        EXPECT_EQ(result.code, 0) << result.output;
        return read_json_file(folder_.path(name + "/training.json")).at("metrics");
    };
    const auto value = [](const Json& metrics, const char* name) {
        return metrics.at(name).at("mean").get<double>();
    };
    const Json whole = trained("whole", 0), parts = trained("parts", 1);
    EXPECT_NEAR(value(parts, "val_rmse"), value(whole, "val_rmse"),
                1e-3 * value(whole, "val_rmse"));
    EXPECT_LT(value(parts, "peak_training_mib"), value(whole, "peak_training_mib"));
    const auto described =
        run({program("edgeloop-model"), "describe", "--spec", folder_.path("parts.json")});
    EXPECT_THAT(described.output, HasSubstr("with a batch of 4, 1 at a time and"));
}

TEST_F(TrainProgram, TheStepsOfAScheduleAreStretchedWithIt) {
    const std::string id = column(read_table(run_dir() + "/pareto.csv"), "id").front();
    Json spec = read_json_file(run_dir() + "/models/" + id + "/spec.json");
    spec["training"]["schedule"] = "step";
    spec["training"]["epochs"] = 2;
    spec["training"]["step_epochs"] = 1;
    spec["training"]["learning_rate"] = 0.01;
    write_file_atomic(folder_.path("spec.json"), spec.dump());
    const auto result =
        run({program("edgeloop-model"), "train", "--spec", folder_.path("spec.json"), "--data",
             e2e_data("shards"), "--out", folder_.path("out"), "--epochs", "6"});
    ASSERT_EQ(result.code, 0) << result.output;
    const auto rates = curve("out", "learning_rate");
    ASSERT_EQ(rates.size(), 6u);
    for (std::size_t epoch = 0; epoch < 6; ++epoch)
        EXPECT_NEAR(std::stod(rates[epoch]), epoch < 3 ? 0.01 : 0.001, 1e-9) << epoch;
}

TEST_F(TrainProgram, ARangeTestSuggestsALearningRate) {
    const auto result = run(train(
        "out", {"--lr-test", "--lr-lowest", "1e-5", "--lr-highest", "100", "--lr-steps", "60"}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("suggested: --learning-rate "));
    const auto table = read_table(folder_.path("out/lr_test.csv"));
    EXPECT_EQ(column(table, "learning_rate").front(), "1e-05");
    EXPECT_EQ(column(table, "smoothed_loss").size(), table.size() - 1);
    EXPECT_FALSE(fs::exists(folder_.path("out/training.json")));
}

TEST_F(TrainProgram, WhatCannotBeTrainedIsOneClearLine) {
    const Words bare{program("edgeloop-model"), "train", "--out", folder_.path("refused")};
    const Words data{"--data", e2e_data("shards")};
    expect_refused(bare + data, 2, "give either --spec or --from");
    expect_refused(bare + data + Words{"--spec", "nosuch"}, 2, "there is no spec 'nosuch'");
    expect_refused(bare + Words{"--spec", "human"}, 2, "--data is missing");
    expect_refused(bare + data + Words{"--from", folder_.path("nowhere")}, 2, "nowhere");
    expect_refused(train("refused", {"--select", "99"}), 2, "design 99 is not on the front");
    expect_refused(train("refused", {"--select", "middle"}), 2, "knee, fastest or best");
    expect_refused(train("refused", {"--resume", "--overwrite"}), 2, "exclude each other");
    expect_refused(mpirun(2, train("refused", {"--select", "99"})), 2,
                   "design 99 is not on the front");
    // Shards on which it would be another design.
    const auto shard = [&](const std::string& name, const Words& more) {
        const auto made =
            run(Words{program("edgeloop-data"), "shard", "--input", e2e_data("raise/*.hdf5"),
                      "--output", folder_.path(name), "--shards", "1"} +
                more);
        EXPECT_EQ(made.code, 0) << made.output;
    };
    shard("published", {"--crop", "published"});
    expect_refused(train("refused", {}, folder_.path("published")), 2,
                   "have the crop 'published' (the design was searched on 'causal')");
    shard("others", {"--seed", "77"});
    const auto others = run(train("others-out", {}, folder_.path("others")));
    EXPECT_EQ(others.code, 0) << others.output;
    EXPECT_THAT(others.output, HasSubstr("are not those of the search"));
}

// The limit on the size of a file stands for a full disk.
TEST_F(TrainProgram, AFullDiskEndsItAndItGoesOnWhenThereIsSpaceAgain) {
    const Words how{"--epochs", "120"};
    ASSERT_EQ(run(train("whole", how)).code, 0);
    const Words shell{"/bin/bash", "-c", "trap '' XFSZ; ulimit -f 12; exec \"$@\"", "bash"};
    expect_refused(shell + train("refused", how), 3, "File too large");
    const auto resumed = run(train("refused", how + Words{"--resume"}));
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    for (const char* file : {"curve.csv", "weights.safetensors"})
        EXPECT_EQ(bytes(std::string("refused/") + file), bytes(std::string("whole/") + file));
}

// --- the weights of a search's front

std::set<std::string> without_weights(const std::string& run_dir) {
    std::set<std::string> without;
    for (const std::string& id : column(read_table(run_dir + "/pareto.csv"), "id"))
        for (const char* file : {"/spec.json", "/weights.safetensors"})
            if (!fs::exists(run_dir + "/models/" + id + file)) without.insert(id + file);
    return without;
}

TEST_F(TrainProgram, TheFrontOfASearchHasItsWeightsAtAnyTimeAlsoWhenTheyAreReused) {
    const std::string killed = folder_.path("search");
    ChildOptions options;
    options.arguments =
        search(killed, {"--evaluations", "100000", "--save-weights", "--reuse", run_dir()});
    options.output_file = folder_.path("log");
    {
        ChildProcess child(options);
        ASSERT_TRUE(wait_for_lines(killed + "/pareto.csv", 2)) << read_file(options.output_file);
        ::kill(child.pid(), SIGKILL);
        ASSERT_TRUE(child.wait_for(20));
    }
    EXPECT_THAT(read_file(options.output_file), HasSubstr("latencies can be reused"));
    EXPECT_EQ(without_weights(killed), std::set<std::string>{});
    // What was killed is selected from.
    const auto trained = run({program("edgeloop-model"), "train", "--from", killed, "--select",
                              "knee", "--data", e2e_data("shards"), "--out", folder_.path("out")});
    EXPECT_EQ(trained.code, 0) << trained.output;
    EXPECT_THAT(trained.output, HasSubstr("has not ended"));
}

}  // namespace
}  // namespace edgeloop::test
