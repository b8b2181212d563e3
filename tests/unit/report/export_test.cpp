// A run for other programs. That Optuna itself reads its study is tested by e2e.tools.
#include "edgeloop/report/export.hpp"

#include "made_up_run.hpp"
#include "support/places.hpp"

#include "edgeloop/core/csv.hpp"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test::export_test {
namespace {

using report::read_run;
using report::RunView;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

/// Two designs with everything that a journal may say of them, and one that failed.
class Exported : public testing::Test {
  protected:
    Exported() {
        made_.event(R"("event":"proposed","id":1,"generation":0,"index":0,"genes":[0.5,0,3],)"
                    R"("spec":{"family":"x"})");
        made_.event(R"("event":"proposed","id":2,"generation":1,"index":0,"genes":[0.7,1,5],)"
                    R"("parents":[1])");
        made_.event(R"("event":"started","id":2)");
        made_.event(R"("event":"trained","id":2,"metrics":{"f1":2},"seconds":3,"ranks":[1],)"
                    R"("curve":{"epoch":[1,2],"learning_rate":[0.1,0.1],"f1":[null,2]})");
        made_.event(R"("event":"measured","id":2,"metrics":{"f2":1},"seconds":1,"device":"board")");
        made_.event(R"("event":"completed","id":2,"metrics":{"f1":2,"f2":1},)"
                    R"("training_seconds":3,"measuring_seconds":1)");
        made_.write("evaluations.csv",
                    "id,status,f1,f2,x,kind,steps,conditions,generation,reason\n"
                    "1,completed,1,4,0.5,\"a,b\",3,1,0,\n"
                    "2,completed,2,1,0.7,c,5,1,1,\n"
                    "3,failed,,,0.6,c,,1,1,'=NaN\n");
        made_.write("pareto.csv", "id,f1,f2\n1,1,4\n2,2,1\n");
    }
    [[nodiscard]] RunView read() const { return read_run(made_.folder); }

  private:
    MadeUpRun made_{"f1,f2;f2<=3"};
};

TEST_F(Exported, AsCsvEachRowIsADesignAndWhatTheJournalKnows) {
    const std::vector<std::string> lines = lines_of(report::export_csv(read()));
    ASSERT_EQ(lines.size(), 4u);
    EXPECT_THAT(csv_row(lines[0]), ElementsAre("id", "status", "f1", "f2", "x", "kind", "steps",
                                               "conditions", "generation", "reason", "on_front",
                                               "parents", "proposed_s", "ended_s"));
    EXPECT_THAT(csv_row(lines[1]), ElementsAre("1", "completed", "1", "4", "0.5", "a,b", "3", "1",
                                               "0", "", "1", "", "0", ""));
    EXPECT_THAT(csv_row(lines[2]), ElementsAre("2", "completed", "2", "1", "0.7", "c", "5", "1",
                                               "1", "", "1", "1", "1", "5"));
    EXPECT_THAT(lines[3], HasSubstr(",'=NaN,0,,,")) << "what a spreadsheet would run stays a text";
}

TEST_F(Exported, AsJsonHasEverything) {
    const Json json = Json::parse(report::export_json(read()));
    EXPECT_EQ(json.at("format"), "edgeloop-run");
    EXPECT_EQ(json.at("objectives"), Json({"f1", "f2"}));
    EXPECT_EQ(json.at("constraints").at(0).at("bound"), 3);
    ASSERT_EQ(json.at("designs").size(), 3u);
    const Json& first = json.at("designs")[0];
    const Json& second = json.at("designs")[1];
    EXPECT_EQ(first.at("spec"), Json::object({{"family", "x"}}));
    EXPECT_EQ(first.at("genes"), Json({{"x", 0.5}, {"kind", "a,b"}, {"steps", 3}}));
    EXPECT_EQ(second.at("objectives"), Json({{"f1", 2}, {"f2", 1}}));
    EXPECT_EQ(second.at("on_front"), true);
    EXPECT_EQ(second.at("parents"), Json::array({1}));
    ASSERT_EQ(second.at("trainings").size(), 1u);
    EXPECT_EQ(second.at("trainings")[0].at("ranks"), Json::array({1}));
    EXPECT_EQ(second.at("trainings")[0].at("curve").at("f1"), Json({nullptr, 2}));
    EXPECT_EQ(second.at("measurements")[0].at("device"), "board");
    EXPECT_EQ(json.at("designs")[2].at("status"), "failed");
    EXPECT_FALSE(json.at("designs")[2].contains("objectives"));
}

TEST_F(Exported, ForOptunaEachDesignIsATrial) {
    std::vector<Json> operations;
    for (const std::string& line : lines_of(report::export_optuna(read())))
        operations.push_back(Json::parse(line));
    ASSERT_EQ(operations.size(), 6u);  // the study, two attributes, three trials
    EXPECT_EQ(operations[0].at("op_code"), 0);
    EXPECT_EQ(operations[0].at("study_name"), "run");
    EXPECT_EQ(operations[0].at("directions"), Json({1, 1}));
    const Json &first = operations[3], &second = operations[4], &failed = operations[5];
    for (const Json* trial : {&first, &second, &failed}) EXPECT_EQ(trial->at("op_code"), 4);
    EXPECT_EQ(first.at("state"), 1);
    EXPECT_EQ(first.at("values"), Json({1, 4}));
    EXPECT_EQ(first.at("system_attrs").at("constraints"), Json::array({1})) << "4 is 1 beyond 3";
    EXPECT_EQ(second.at("system_attrs").at("constraints"), Json::array({-2}));
    EXPECT_EQ(first.at("params"), Json({{"x", 0.5}, {"kind", 0}, {"steps", 3}}));
    EXPECT_EQ(second.at("params").at("kind"), 1);
    const auto distribution = [](const Json& trial, const char* gene) {
        return Json::parse(trial.at("distributions").at(gene).get<std::string>());
    };
    EXPECT_EQ(distribution(first, "kind").at("attributes").at("choices"), Json({"a,b", "c"}));
    EXPECT_EQ(distribution(first, "steps").at("name"), "IntDistribution");
    EXPECT_EQ(distribution(first, "x").at("attributes").at("high"), 0.7);
    EXPECT_EQ(second.at("intermediate_values"), Json::object({{"2", 2}}));
    EXPECT_EQ(second.at("datetime_start"), "1970-01-01T00:16:42.000000");
    EXPECT_EQ(failed.at("state"), 3);
    EXPECT_FALSE(failed.contains("values"));
    EXPECT_FALSE(failed.at("params").contains("steps")) << "this design does not have it";
}

TEST(Export, TakesRunsOfTheFirstRelease) {
    const RunView run = read_run(test_data("runs/v0.1/training"));
    EXPECT_EQ(lines_of(report::export_csv(run)).size(), 5u);
    EXPECT_EQ(Json::parse(report::export_json(run)).at("designs").size(), 4u);
    EXPECT_EQ(lines_of(report::export_optuna(run)).size(), 7u);
}

}  // namespace
}  // namespace edgeloop::test::export_test
