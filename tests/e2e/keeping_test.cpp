#include "support/programs.hpp"
#include "support/small_search.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const Words small{"--evaluations", "8"};

std::set<std::string> models(const std::string& run_dir, const std::string& with) {
    std::set<std::string> ids;
    for (const auto& entry : fs::directory_iterator(run_dir + "/models"))
        if (fs::exists(entry.path() / with)) ids.insert(entry.path().filename());
    return ids;
}

std::set<std::string> front(const std::string& run_dir) {
    const auto ids = column(read_table(run_dir + "/pareto.csv"), "id");
    return {ids.begin(), ids.end()};
}

std::set<std::string> conditions(const std::string& run_dir) {
    const auto numbers = column(read_table(run_dir + "/evaluations.csv"), "conditions");
    return {numbers.begin(), numbers.end()};
}

TEST(Keeping, AResumeUnderOtherConditionsIsRefusedUnlessAllowed) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    ASSERT_EQ(run(small_search(dir, small)).code, 0);
    const std::string before = read_file(dir + "/journal.jsonl");
    const std::vector<std::pair<Words, std::string>> changes{
        {{"--clip-norm", "1"}, "--clip-norm 0, now 1"},
        {{"--threads", "2"}, "--threads 1, now 2"},
        {{"--max-train-samples", "5"}, "--max-train-samples 0, now 5"},
        {{"--crossover-probability", "0.5"}, "--crossover-probability 0.9, now 0.5"}};
    for (const auto& [words, says] : changes) {
        const auto refused =
            run(small_search(dir, Words{"--evaluations", "12", "--resume"} + words));
        EXPECT_EQ(refused.code, 2) << refused.output;
        EXPECT_THAT(refused.output, HasSubstr(says));
    }
    EXPECT_EQ(read_file(dir + "/journal.jsonl"), before);
    EXPECT_EQ(conditions(dir), std::set<std::string>{"1"});

    const Words more{"--evaluations", "12", "--resume", "--clip-norm", "1", "--allow-changed"};
    const auto allowed = run(small_search(dir, more));
    ASSERT_EQ(allowed.code, 0) << allowed.output;
    EXPECT_EQ(conditions(dir), (std::set<std::string>{"1", "2"}));
    const Json table = read_json_file(dir + "/conditions.json");
    EXPECT_EQ(table.at("conditions").at(0).at("training").at("clip-norm"), "0");
    EXPECT_EQ(table.at("conditions").at(1).at("training").at("clip-norm"), "1");
    EXPECT_TRUE(fs::exists(dir + "/config-1.ini"));
    EXPECT_THAT(read_file(dir + "/config.ini"), HasSubstr("\nclip-norm = 1\n"));
    // What does not change a result is free.
    const auto free =
        run(small_search(dir, Words{"--evaluations", "12", "--resume", "--clip-norm", "1",
                                    "--time-limit", "600", "--log-level", "debug"}));
    EXPECT_EQ(free.code, 0) << free.output;
}

TEST(Keeping, ARunOfTheVersionBeforeIsContinuedByTheProgram) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    fs::copy(test_data("store/v1"), dir, fs::copy_options::recursive);
    const auto result =
        run({program("edgeloop-search"), "--problem", "zdt1", "--population", "8", "--evaluations",
             "200", "--seed", "3", "--prune-optimism", "0.1", "--run-dir", dir, "--resume"});
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(column(read_table(dir + "/evaluations.csv"), "id").size(), 200u);
    const auto other =
        run({program("edgeloop-search"), "--problem", "zdt2", "--population", "8", "--evaluations",
             "240", "--seed", "3", "--prune-optimism", "0.1", "--run-dir", dir, "--resume"});
    EXPECT_EQ(other.code, 2) << other.output;
    EXPECT_THAT(other.output, HasSubstr("--problem zdt1, now zdt2"));
}

TEST(Keeping, ModelsAreThoseOfTheFrontAlsoWhenStoppedAndWhenExtended) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const Words weights{"--save-weights"};
    // Stops with results, not before the first.
    int starts = 0;
    for (; starts < 20 && (starts == 0 || front(dir).empty()); ++starts) {
        const Words resume = starts > 0 ? Words{"--resume"} : Words{};
        const auto stopped = run(small_search(
            dir, Words{"--evaluations", "100000", "--time-limit", "3"} + weights + resume));
        ASSERT_EQ(stopped.code, 75) << stopped.output;
    }
    ASSERT_FALSE(front(dir).empty());
    EXPECT_EQ(models(dir, "spec.json"), front(dir));
    EXPECT_EQ(models(dir, "weights.safetensors"), front(dir));

    const std::string longer = folder.path("longer");
    ASSERT_EQ(run(small_search(longer, small + weights)).code, 0);
    EXPECT_EQ(models(longer, "weights.safetensors"), front(longer));
    make_directories(longer + "/models/999");
    write_file_atomic(longer + "/models/999/spec.json", "{}");
    make_directories(longer + "/models/998");
    write_file_atomic(longer + "/models/998/model.onnx", "somebody's");
    ASSERT_EQ(run(small_search(longer, Words{"--evaluations", "24", "--resume"} + weights)).code,
              0);
    EXPECT_EQ(models(longer, "spec.json"), front(longer));
    EXPECT_EQ(models(longer, "weights.safetensors"), front(longer));
    EXPECT_FALSE(fs::exists(longer + "/models/999"));
    EXPECT_TRUE(fs::exists(longer + "/models/998/model.onnx"));
    EXPECT_THAT(read_file(longer + "/config.ini"), HasSubstr("\nevaluations = 24\n"));
    EXPECT_THAT(read_file(longer + "/config-1.ini"), HasSubstr("\nevaluations = 8\n"));
}

TEST(Keeping, ReusedTrainingsBringTheirWeightsOrAreTrainedAgain) {
    const TemporaryFolder folder;
    const std::string with = folder.path("with"), without = folder.path("without");
    ASSERT_EQ(run(small_search(with, small + Words{"--save-weights"})).code, 0);
    ASSERT_EQ(run(small_search(without, small)).code, 0);
    for (const std::string& earlier : {with, without}) {
        const std::string dir = folder.path("again-" + fs::path(earlier).filename().string());
        const auto again =
            run(small_search(dir, small + Words{"--reuse", earlier, "--save-weights"}));
        ASSERT_EQ(again.code, 0) << again.output;
        const std::size_t kept = earlier == with ? front(with).size() : 0;
        EXPECT_THAT(again.output,
                    HasSubstr(earlier + ": " + std::to_string(kept) +
                              " trainings and 8 latencies can be reused; not " +
                              std::to_string(8 - kept) + " trainings whose weights were not kept"));
        EXPECT_EQ(front(dir), front(with));
        EXPECT_EQ(models(dir, "weights.safetensors"), front(dir));
        if (earlier != with) continue;
        for (const std::string& id : front(dir)) {
            const std::string file = "/models/" + id + "/weights.safetensors";
            EXPECT_EQ(read_file(dir + file), read_file(with + file)) << id;
        }
    }
    const auto other = run(
        small_search(folder.path("other"), small + Words{"--reuse", without, "--clip-norm", "1"}));
    ASSERT_EQ(other.code, 0) << other.output;
    EXPECT_THAT(other.output, HasSubstr("0 trainings and 8 latencies can be reused; not 8 "
                                        "trainings made with --clip-norm 0, now 1"));
}

TEST(Keeping, EveryGivenDesignIsTriedOrItIsSaidWhyNot) {
    const TemporaryFolder folder;
    const std::string first = folder.path("first");
    ASSERT_EQ(run(small_search(first, {"--evaluations", "24"})).code, 0);
    // As many designs as a population and more, one of them twice.
    Words specs;
    std::ifstream journal(first + "/journal.jsonl");
    for (std::string line; std::getline(journal, line) && specs.size() < 6;) {
        const Json event = Json::parse(line);
        if (event.at("event") != "proposed") continue;
        specs.push_back(folder.path(std::to_string(specs.size()) + ".json"));
        write_file_atomic(specs.back(), event.at("spec").dump());
    }
    ASSERT_EQ(specs.size(), 6u);
    const std::string dir = folder.path("run");
    const auto result = run(small_search(
        dir, Words{"--evaluations", "6", "--constraint", "parameters<=1", "--seed-specs"} + specs +
                 Words{specs[0]}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("the first population has all 6 designs"));
    EXPECT_THAT(result.output, HasSubstr(specs[0] + ": the design is given twice"));
    const auto table = read_table(dir + "/evaluations.csv");
    const auto status = column(table, "status");
    for (std::size_t i = 0; i < specs.size(); ++i) {
        EXPECT_THAT(result.output, HasSubstr(specs[i] + ": parameters is "));
        EXPECT_EQ(status.at(i), "infeasible") << i;
    }
    const auto few =
        run(small_search(folder.path("few"), Words{"--evaluations", "5", "--seed-specs"} + specs));
    EXPECT_EQ(few.code, 2) << few.output;
    EXPECT_THAT(few.output, HasSubstr("--seed-specs gives 6 designs"));
    EXPECT_FALSE(fs::exists(folder.path("few")));
}

}  // namespace
}  // namespace edgeloop::test
