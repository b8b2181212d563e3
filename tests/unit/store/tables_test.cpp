#include "store/tables.hpp"

#include "support/search_support.hpp"

#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace edgeloop::tables_test {
namespace {

ArchiveMember member(CandidateId id, double f1, double f2) {
    ArchiveMember member;
    member.completed.candidate.id = id;
    member.completed.candidate.genome.genes = {0.1 + 0.2, 1};
    member.completed.metrics = {{"f1", f1}, {"f2", f2}, {"parameters", 5}, {"train_seconds", 1.25}};
    member.objectives = {f1, f2};
    return member;
}

TEST(Tables, ParetoHasObjectivesThenGenesThenMetricsAndNoCosts) {
    const SearchSpace space = test::unit_box(2);
    const TableLayout layout{&space, {"f2", "f1"}, {{7, {1}}, {3, {1, 2}}}};
    const std::string genes = space.variables()[0].name + ',' + space.variables()[1].name;
    EXPECT_EQ(pareto_table(layout, {member(7, 1e-7, 2), member(3, 0.5, 1)}),
              "id,f2,f1," + genes +
                  ",parameters,conditions\n"
                  "7,2,1e-07,0.30000000000000004,1,5,1\n"
                  "3,1,0.5,0.30000000000000004,1,5,1+2\n");
}

TEST(Tables, AnEmptyFrontHasAHeader) {
    const SearchSpace space = test::unit_box(1);
    EXPECT_EQ(pareto_table({&space, {"f1", "f2"}}, {}),
              "id,f1,f2," + space.variables()[0].name + ",conditions\n");
}

TEST(Tables, SayWhichDeviceMeasured) {
    const SearchSpace space = test::unit_box(2);
    TableLayout layout{&space, {"f1"}};
    layout.devices[""] = {{7, "board, left"}};
    const std::string front = pareto_table(layout, {member(7, 1, 2), member(8, 2, 1)});
    EXPECT_NE(front.find(",device\n"), std::string::npos) << front;
    EXPECT_NE(front.find(",5,,\"board, left\"\n"), std::string::npos) << front;
    EXPECT_NE(front.find(",5,,\n"), std::string::npos) << front;
    const CompletedCandidate row = member(7, 1, 2).completed;
    const std::string table = evaluations_table(layout, {&row});
    EXPECT_NE(table.find(",device,generation,"), std::string::npos) << table;
    EXPECT_NE(table.find(",\"board, left\",0,"), std::string::npos) << table;
}

TEST(Tables, SayWhichDeviceOfEachClassMeasured) {
    const SearchSpace space = test::unit_box(2);
    TableLayout layout{&space, {"f1"}};
    layout.devices["board"] = {{7, "left"}};
    layout.devices["pi"] = {{8, "right"}};
    const std::string front = pareto_table(layout, {member(7, 1, 2), member(8, 2, 1)});
    EXPECT_NE(front.find(",device@board,device@pi\n"), std::string::npos) << front;
    EXPECT_NE(front.find(",,left,\n"), std::string::npos) << front;
    EXPECT_NE(front.find(",,,right\n"), std::string::npos) << front;
}

TEST(Tables, EvaluationsAddStatusCostAndReason) {
    const SearchSpace space = test::unit_box(2);
    CompletedCandidate failed = member(4, 1, 2).completed;
    failed.status = Status::failed;
    failed.reason = "loss is \"nan\", step 3";
    failed.metrics = {{"f1", 1}};
    failed.candidate.generation = 2;
    failed.candidate.epochs = 9;
    failed.training_seconds = 0.5;
    const std::string genes = space.variables()[0].name + ',' + space.variables()[1].name;
    EXPECT_EQ(evaluations_table({&space, {"f1", "f2"}}, {&failed}),
              "id,status,f1,f2," + genes +
                  ",conditions,generation,epochs,training_seconds,measuring_seconds,reason\n"
                  "4,failed,1,,0.30000000000000004,1,,2,9,0.5,0,\"loss is \"\"nan\"\", step 3\"\n");
}

TEST(Tables, TextsOfOthersAreNoFormulasAndNoLines) {
    const SearchSpace space = test::unit_box(2);
    CompletedCandidate failed = member(4, 1, -2).completed;
    failed.status = Status::failed;
    failed.reason = "=cmd|' /C calc'!A0, \"x\"\r\n\x1b[31m\u202e";
    failed.metrics = {{"f1", -1.5}, {"=made_up", 1}};  // as a run of an earlier release may have it
    TableLayout layout{&space, {"f1"}};
    layout.devices[""] = {{4, "@device\nforged"}};
    const std::string table = evaluations_table(layout, {&failed});
    EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 2) << table;
    EXPECT_NE(table.find(",'=made_up,"), std::string::npos) << table;
    EXPECT_NE(table.find(",'@device\\u{a}forged,"), std::string::npos) << table;
    EXPECT_NE(table.find(",-1.5,"), std::string::npos) << "a number stays one";
    const std::vector<std::string> row =
        csv_row(table.substr(table.find('\n') + 1, table.size() - table.find('\n') - 2));
    EXPECT_EQ(row.back(), printable(failed.reason));
    EXPECT_NE(table.find("\"'=cmd|' /C calc'!A0, \"\"x\"\""), std::string::npos) << table;
}

}  // namespace
}  // namespace edgeloop::tables_test
