// Run directories that the release before wrote, in the midst of a run: tests/data/runs.
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

class OldRuns : public ::testing::Test {
  protected:
    // A copy of an old run directory.
    std::string copy_of(const std::string& name) {
        const std::string dir = folder_.path(name);
        std::filesystem::copy(test_data("runs/v0.1/" + name), dir,
                              std::filesystem::copy_options::recursive);
        return dir;
    }
    // The command that made it, to go on.
    static ProgramResult resume(const std::string& dir, const Words& as_before,
                                const Words& more = {}) {
        Words words{program("edgeloop-search"), "--run-dir", dir, "--resume"};
        words.insert(words.end(), as_before.begin(), as_before.end());
        words.insert(words.end(), more.begin(), more.end());
        return run(words);
    }
    static std::vector<std::string> statuses(const std::string& dir) {
        return column(read_table(dir + "/evaluations.csv"), "status");
    }

    const Words generational_{"--problem",     "zdt1", "--population", "8",
                              "--evaluations", "96",   "--seed",       "3"};
    const Words steady_state_{"--problem",        "dtlz2", "--engine",      "steady-state",
                              "--population",     "10",    "--evaluations", "80",
                              "--model-children", "6",     "--seed",        "4"};
    const Words training_{"--data",
                          test_data("shards/v1"),
                          "--space",
                          test_data("tiny_space.json"),
                          "--population",
                          "4",
                          "--evaluations",
                          "16",
                          "--rungs",
                          "1",
                          "2",
                          "--edge",
                          "model",
                          "--seed",
                          "11",
                          "--save-weights"};

  private:
    TemporaryFolder folder_;
};

TEST_F(OldRuns, AGenerationalRunEndsWithTheFrontThatItWouldHaveHad) {
    const std::string dir = copy_of("generational");
    const auto result = resume(dir, generational_);
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(read_file(dir + "/pareto.csv"),
              read_file(test_data("runs/v0.1/generational-front.csv")));
}

TEST_F(OldRuns, ASteadyStateRunWithASurrogateGoesOn) {
    const std::string dir = copy_of("steady-state");
    const auto result = resume(dir, steady_state_);
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(statuses(dir), Words(80, "completed"));
}

TEST_F(OldRuns, TrainingsOnTheLadderGoOnFromTheirEpoch) {
    const std::string dir = copy_of("training");
    const auto result = resume(dir, training_);
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("candidate 1 goes on from epoch 1"));
    EXPECT_THAT(
        result.output,
        HasSubstr("begun with other defaults and goes on with them: --engine=generational "
                  "--confirm=0 --augment=false --normalise=spec --margin=0 --short-lines=pad"));
    EXPECT_EQ(statuses(dir), Words(16, "completed")) << result.output;
    EXPECT_FALSE(std::filesystem::is_empty(dir + "/models"));
    const auto again = resume(dir, training_);
    EXPECT_EQ(again.code, 0) << "a second time: " << again.output;
    for (const Words& other : {Words{"--margin", "6"}, Words{"--normalise", "data"}})
        EXPECT_EQ(resume(dir, training_, other).code, 2) << "what the command line says counts";
    const auto otherwise = resume(dir, training_, {"--margin", "6", "--short-lines", "skip"});
    EXPECT_EQ(otherwise.code, 2) << "what the command line says counts: " << otherwise.output;
    const auto confirmed = resume(dir, training_, {"--confirm", "3"});
    EXPECT_EQ(confirmed.code, 2) << confirmed.output;
    EXPECT_THAT(confirmed.output, HasSubstr("--confirm 0, now 3"));
}

TEST_F(OldRuns, TheirTrainingsCountTowardsABudget) {
    const std::string dir = copy_of("training");
    const auto result = resume(dir, training_, {"--budget", "30epochs"});
    ASSERT_EQ(result.code, 0) << result.output;
    const Words epochs = column(read_table(dir + "/evaluations.csv"), "epochs");
    ASSERT_GE(epochs.size(), 16u);
    const double sum =
        std::accumulate(epochs.begin(), epochs.end(), 0.0,
                        [](double all, const std::string& text) { return all + std::stod(text); });
    const Json effort = read_json_file(dir + "/status.json").at("effort");
    EXPECT_EQ(effort.at("spent"), sum);
    EXPECT_EQ(effort.at("total"), 30);
}

// The factors of the learning rate's steps, as the designs of a run have them.
std::map<int, double> factors_in(const std::string& dir) {
    std::map<int, double> factors;
    std::istringstream lines(read_file(dir + "/journal.jsonl"));
    for (std::string line; std::getline(lines, line);) {
        const Json event = Json::parse(line);
        if (event.at("event") == "proposed")
            factors[event.at("id")] = event.at("spec").at("training").at("gamma");
    }
    return factors;
}

TEST_F(OldRuns, GoOnWithTheGenesThatHaveNoEffect) {
    Json space = read_json_file(test_data("tiny_space.json"));
    space["base"]["training"]["schedule"] = "step";
    space["variables"].push_back(
        {{"name", "training.gamma"}, {"kind", "real"}, {"lower", 0.1}, {"upper", 0.9}});
    const std::string dir = copy_of("training") + "-of-today";
    write_file_atomic(dir + ".json", space.dump());
    const auto with = [&](const std::string& option, const std::string& value, Words words) {
        *(std::find(words.begin(), words.end(), option) + 1) = value;
        return words;
    };
    Words words = with("--space", dir + ".json", with("--evaluations", "8", training_));
    words.insert(words.end(), {"--margin", "0", "--short-lines", "pad"});  // its lines are short
    Words first{program("edgeloop-search"), "--run-dir", dir};
    first.insert(first.end(), words.begin(), words.end());
    const auto begun = run(first);
    ASSERT_EQ(begun.code, 0) << begun.output;
    const auto settled = factors_in(dir);
    ASSERT_EQ(settled.size(), 8u);
    for (const auto& [id, factor] : settled) EXPECT_EQ(factor, 0.1) << id;

    // As an earlier version would have left it: it said nothing about such genes.
    Json provenance = read_json_file(dir + "/provenance.json");
    EXPECT_EQ(provenance.at("identity").erase("idle_genes"), 1u);
    write_file_atomic(dir + "/provenance.json", provenance.dump());
    const auto result = resume(dir, with("--evaluations", "16", words));
    ASSERT_EQ(result.code, 0) << result.output;
    const auto factors = factors_in(dir);
    ASSERT_EQ(factors.size(), 16u);
    int others = 0;
    for (const auto& each : factors) others += each.second != 0.1 ? 1 : 0;
    EXPECT_GT(others, 4);
}

TEST_F(OldRuns, OtherConditionsAreRefusedAsInTheReleaseThatMadeThem) {
    const std::string dir = copy_of("training");
    const std::string journal = read_file(dir + "/journal.jsonl");
    const auto result = resume(dir, training_, {"--clip-norm", "0.5"});
    EXPECT_EQ(result.code, 2) << result.output;
    EXPECT_THAT(result.output, HasSubstr("clip-norm"));
    EXPECT_EQ(read_file(dir + "/journal.jsonl"), journal);
}

TEST_F(OldRuns, TheirResultsAreReused) {
    const std::string old = copy_of("training");
    ASSERT_EQ(resume(old, training_).code, 0);
    const std::string dir = old + "-again";
    Words words{program("edgeloop-search"), "--run-dir", dir, "--reuse", old};
    // Without --save-weights, which would have to train for them.
    words.insert(words.end(), training_.begin(), training_.end() - 1);
    // What was the default when it was made.
    for (const char* word : {"--margin", "0", "--short-lines", "pad", "--normalise", "spec",
                             "--augment=false", "--confirm", "0", "--engine", "generational"})
        words.push_back(word);
    const auto result = run(words);
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(statuses(dir), Words(16, "completed"));
    // What was told before this release has no baselines beside it.
    for (const char* name : {"id", "val_rmse", "latency_ms", "r2_speed"})
        EXPECT_EQ(column(read_table(dir + "/pareto.csv"), name),
                  column(read_table(old + "/pareto.csv"), name))
            << name;
}

TEST_F(OldRuns, TheConfigurationThatTheyKeepIsRead) {
    for (const char* name : {"generational", "steady-state", "training"}) {
        const auto result =
            run({program("edgeloop-search"), "--config",
                 test_data(std::string("runs/v0.1/") + name + "/config.ini"), "--print-config"});
        EXPECT_EQ(result.code, 0) << result.output;
        EXPECT_THAT(result.output, HasSubstr("run-dir = runs/before"));
    }
}

TEST_F(OldRuns, TheSpecsOfTheirModelsAreRead) {
    std::size_t read = 0;
    for (const auto& model :
         std::filesystem::directory_iterator(test_data("runs/v0.1/training/models"))) {
        const auto result = run({program("edgeloop-model"), "describe", "--spec",
                                 model.path().string() + "/spec.json"});
        EXPECT_EQ(result.code, 0) << result.output;
        ++read;
    }
    EXPECT_GT(read, 0u);
}

}  // namespace
}  // namespace edgeloop::test
