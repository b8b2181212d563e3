// What is read of run directories: old, running, crashed, empty, odd.
#include "edgeloop/report/run_view.hpp"

#include "made_up_run.hpp"
#include "support/places.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test::run_view_test {
namespace {

using report::read_run;
using report::Role;
using report::RunView;
using ::testing::Contains;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names_of(const RunView& run, Role role) {
    std::vector<std::string> names;
    for (const auto& column : run.columns)
        if (column.role == role) names.push_back(column.name);
    return names;
}

TEST(RunView, ReadsATrainingRunOfTheFirstRelease) {
    const RunView run = read_run(test_data("runs/v0.1/training"));
    EXPECT_EQ(run.name, "training");
    EXPECT_EQ(run.rows, 4u);
    EXPECT_THAT(run.objectives, ElementsAre("val_rmse", "latency_ms"));
    EXPECT_THAT(names_of(run, Role::gene),
                ElementsAre("family", "training.learning_rate", "cnn3d.channels.0",
                            "cnn3d.hidden.0", "swin3d.embed_dim", "swin3d.mlp_ratio"));
    EXPECT_THAT(run.find("id")->numbers, ElementsAre(1, 2, 3, 4));
    EXPECT_THAT(run.find("val_rmse")->numbers[2], DoubleEq(0.8229416069252398));
    EXPECT_FALSE(run.find("family")->is_number);
    EXPECT_TRUE(std::isnan(run.find("swin3d.embed_dim")->numbers[0]));
    EXPECT_THAT(run.front, ElementsAre(2));
    // Two rungs of design 3 and one of each other design.
    EXPECT_EQ(run.history.trainings.size(), 5u);
    EXPECT_EQ(run.history.measurements.size(), 4u);
    EXPECT_THAT(run.history.designs.at(3).spec, HasSubstr("\"family\":\"cnn3d\""));
    EXPECT_GT(run.history.designs.at(3).ended_ms, run.history.designs.at(3).proposed_ms);
    EXPECT_THAT(run.remarks, IsEmpty());
}

TEST(RunView, ReadsRunsOfOtherEnginesAndAJournalOfVersion1) {
    const RunView run = read_run(test_data("runs/v0.1/steady-state"));
    EXPECT_THAT(run.objectives, ElementsAre("f1", "f2", "f3"));
    EXPECT_EQ(names_of(run, Role::gene).size(), 12u);
    EXPECT_EQ(run.front.size(), 14u);
    EXPECT_GT(read_run(test_data("store/v1")).rows, 0u);
}

TEST(RunView, ReadsConstraints) {
    const MadeUpRun made("val_rmse,latency_ms;latency_ms<=0.8;val_rmse<=0.5");
    const RunView run = read_run(made.folder);
    EXPECT_THAT(run.objectives, ElementsAre("val_rmse", "latency_ms"));
    ASSERT_EQ(run.demands.size(), 2u);
    EXPECT_EQ(run.demands[0].metric, "latency_ms");
    EXPECT_EQ(run.demands[0].relation, "<=");
    EXPECT_EQ(run.demands[0].bound, 0.8);
    EXPECT_EQ(run.rows, 0u);
}

TEST(RunView, RefusesAFolderWithoutARun) {
    const TemporaryFolder folder;
    EXPECT_THROW((void)read_run(folder.root()), ConfigError);
    EXPECT_THROW((void)read_run(folder.path("nothing")), ConfigError);
}

TEST(RunView, LeavesOutATornLastLineAndCountsDamagedOnes) {
    MadeUpRun made("f1,f2");
    made.event(R"("event":"proposed","id":1,"generation":0,"index":0,"genes":[0.5],"epochs":0)");
    made.event(R"("event":"completed","id":1,"metrics":{"f1":1,"f2":2},"training_seconds":1,)"
               R"("measuring_seconds":0)");
    made.raw_line("{\"seq\":3,\"time_ms\":10");
    RunView run = read_run(made.folder);
    EXPECT_EQ(run.history.damaged_lines, 0u);
    made.raw_line("\n");
    made.event(R"("event":"an event of later releases","id":1)");
    run = read_run(made.folder);
    EXPECT_EQ(run.history.damaged_lines, 1u);
    EXPECT_THAT(run.remarks, Contains(HasSubstr("1 line left out")));
    EXPECT_EQ(run.rows, 1u);
}

// The tables are written now and then; what ended since is in the journal alone.
TEST(RunView, TakesNewerDesignsFromTheJournal) {
    MadeUpRun made("f1,f2");
    made.event(R"("event":"proposed","id":1,"generation":0,"index":0,"genes":[0.5],"epochs":0)");
    made.event(R"("event":"proposed","id":2,"generation":3,"index":1,"genes":[0.7],"epochs":4)");
    made.event(R"("event":"failed","id":2,"metrics":{"f1":3},"reason":"NaN","training_seconds":1,)"
               R"("measuring_seconds":0)");
    made.write("evaluations.csv",
               "id,status,f1,f2,x,generation,epochs,training_seconds,measuring_seconds,reason\n"
               "1,completed,1,2,0.5,0,0,1,0,\n");
    const RunView run = read_run(made.folder);
    ASSERT_EQ(run.rows, 2u);
    EXPECT_THAT(run.find("status")->texts, ElementsAre("completed", "failed"));
    EXPECT_EQ(run.find("f1")->numbers[1], 3);
    EXPECT_TRUE(std::isnan(run.find("x")->numbers[1]));
    EXPECT_EQ(run.find("generation")->numbers[1], 3);
    EXPECT_EQ(run.find("reason")->texts[1], "NaN");
    EXPECT_THAT(names_of(run, Role::gene), ElementsAre("x"));
    EXPECT_THAT(run.completed(), ElementsAre(true, false));
    EXPECT_THAT(run.objective_values()[0], ElementsAre(1, 2));
    EXPECT_THAT(run.objective_values()[1], IsEmpty());
}

TEST(RunView, TellsRepeatsFromTheFirstTraining) {
    MadeUpRun made("f1,f2");
    made.event(R"("event":"proposed","id":7,"generation":0,"index":0,"genes":[0.5],"epochs":0)");
    made.event(R"("event":"started","id":7)");
    made.event(R"("event":"started","id":2000000007)");
    made.event(R"("event":"trained","id":7,"status":"completed","metrics":{"f1":1},"seconds":1)");
    const RunView run = read_run(made.folder);
    ASSERT_EQ(run.history.trainings.size(), 2u);
    EXPECT_EQ(run.history.trainings[0].repeat, 0u);
    EXPECT_EQ(run.history.trainings[0].end_ms - run.history.trainings[0].start_ms, 2000);
    EXPECT_EQ(run.history.trainings[1].id, 7u);
    EXPECT_EQ(run.history.trainings[1].repeat, 2u);
    EXPECT_EQ(run.history.trainings[1].end_ms, -1);
}

TEST(RunView, ReadsParentsRanksAndLearningCurves) {
    MadeUpRun made("f1,f2");
    made.event(
        R"("event":"proposed","id":7,"generation":1,"index":0,"genes":[0.5],"parents":[3,4])");
    made.event(R"("event":"started","id":7)");
    made.event(R"("event":"trained","id":7,"status":"completed","metrics":{"f1":1},"seconds":1,)"
               R"("ranks":[2,3],"curve":{"epoch":[1,2],"learning_rate":[0.1,0.05],)"
               R"("train_loss":[0.5,"nan"],"f1":[null,0.25],"odd":[1]})");
    made.event(R"("event":"proposed","id":8,"generation":1,"index":1,"genes":[0.5],"parents":"x")");
    const RunView run = read_run(made.folder);
    EXPECT_THAT(run.history.designs.at(7).parents, ElementsAre(3, 4));
    EXPECT_THAT(run.history.designs.at(8).parents, IsEmpty());
    ASSERT_EQ(run.history.trainings.size(), 1u);
    EXPECT_THAT(run.history.trainings[0].ranks, ElementsAre(2, 3));
    const report::LearningCurve& curve = run.history.trainings[0].curve;
    EXPECT_THAT(curve.epochs, ElementsAre(1, 2));
    ASSERT_EQ(curve.metrics.size(), 3u);  // a column of another length is left out
    EXPECT_EQ(curve.metrics.at("train_loss")[0], 0.5);
    EXPECT_TRUE(std::isnan(curve.metrics.at("train_loss")[1]));
    EXPECT_TRUE(std::isnan(curve.metrics.at("f1")[0]));
    EXPECT_EQ(curve.metrics.at("f1")[1], 0.25);
}

TEST(RunView, KeepsGoingWithoutAJournalOrWithBrokenDocuments) {
    const MadeUpRun made("f1,f2");
    made.write("status.json", "{");
    made.write("evaluations.csv", "id,status,f1,f2,x,conditions\n1,completed,1,2,a,1\n2,compl");
    std::filesystem::remove(made.folder + "/journal.jsonl");
    const RunView run = read_run(made.folder);
    EXPECT_EQ(run.rows, 1u);
    EXPECT_THAT(names_of(run, Role::gene), ElementsAre("x"));
    EXPECT_THAT(run.remarks, Contains(HasSubstr("status.json cannot be read")));
    EXPECT_THAT(run.remarks, Contains(HasSubstr("journal.jsonl is not there")));
}

}  // namespace
}  // namespace edgeloop::test::run_view_test
