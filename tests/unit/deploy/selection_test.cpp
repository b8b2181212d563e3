#include "edgeloop/deploy/selection.hpp"

#include "support/places.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::selection_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

/// A run directory with a front of four: the corner is 5, but for what the fourth column says.
class SelectionTest : public testing::Test {
  protected:
    void SetUp() override {
        write(
            "provenance.json",
            R"({"identity":{"objectives":"val_rmse,latency_ms;latency_ms<=9"},)"
            R"("devices":[{"name":"other","class":"b"},{"name":"cam","class":"board/eager-1"}]})");
        write("conditions.json",
              R"({"conditions":[{"number":1,"measuring":{"measure-runtime":"eager"}},)"
              R"({"number":2,"measuring":{"measure-runtime":"onnxruntime","measure-threads":"2",)"
              R"("measure-processor":"cpu"}}]})");
        write("status.json", R"({"phase":"finished"})");
        write("pareto.csv",
              "id,val_rmse,latency_ms,training.learning_rate,flops,latency_valid,val_rmse_n,"
              "conditions,device\n"
              "3,0.1,4,0.1,7,1,3,1,cam\n"
              "5,0.2,2,,8,1,3,1+2,cam\n"
              "7,0.5,1.5,0.3,9,1,,2,\n"
              "2,0.9,1,0.3,9,1,3,2,cam\n");
        for (const char* id : {"3", "5", "7", "2"})
            write(std::string("models/") + id + "/spec.json",
                  R"({"family":"cnn3d","architecture":{"stages":[{"channels":)" + std::string(id) +
                      R"(,"kernel":[3,3,3],"pool":[2,4,4]}],"hidden":[8]},)"
                      R"("clip":{"frames":4,"stride":1,"side":16},"training":{}})");
        write("models/5/weights.safetensors", "weights");
    }
    void write(const std::string& name, const std::string& bytes) {
        const std::string path = run_.path(name);
        make_directories(path.substr(0, path.rfind('/')));
        write_file_atomic(path, bytes);
    }
    [[nodiscard]] CandidateId chosen(const std::string& which) const {
        return select(run_.root(), which).id;
    }
    /// What is said when this is selected.
    template <class Thrown>
    [[nodiscard]] std::string refusal(const std::string& which) const {
        try {
            (void)select(run_.root(), which);
        } catch (const Thrown& error) {
            return error.what();
        }
        return {};
    }

    test::TemporaryFolder run_;
};

TEST_F(SelectionTest, WordsNameTheEndsAndTheBend) {
    EXPECT_EQ(chosen("best"), 3u);
    EXPECT_EQ(chosen("fastest"), 2u);
    EXPECT_EQ(chosen("knee"), 5u);
    EXPECT_EQ(chosen("7"), 7u);
}

TEST_F(SelectionTest, TheKneeIsFarthestBelowTheLineThroughTheEnds) {
    // Scaled, the line is x + y = 1; by that 4 is farther below than 5, whatever the units are.
    write("pareto.csv", "id,val_rmse,latency_ms\n1,0,3000\n4,0.1,1200\n5,0.45,900\n6,1,0\n");
    EXPECT_EQ(find_member(read_front(run_.root()), "knee", run_.root()), 1u);
    // Of equal ones the first that was found.
    write("pareto.csv", "id,val_rmse,latency_ms\n9,0,4\n8,1,2\n6,2,0\n");
    EXPECT_EQ(read_front(run_.root()).members[find_member(read_front(run_.root()), "knee", "")].id,
              6u);
    // An objective in which all are alike decides nothing.
    write("pareto.csv", "id,val_rmse,latency_ms\n9,0.3,4\n");
    EXPECT_EQ(find_member(read_front(run_.root()), "knee", run_.root()), 0u);
}

TEST_F(SelectionTest, TellsWhatIsKnownOfAMember) {
    const Selection selection = select(run_.root(), "5");
    EXPECT_EQ(selection.spec.architecture.at("stages").at(0).at("channels"), 5);
    EXPECT_EQ(selection.weights_file, run_.path("models/5/weights.safetensors"));
    EXPECT_THAT(selection.objectives, ElementsAre(Pair("latency_ms", 2), Pair("val_rmse", 0.2)));
    EXPECT_EQ(selection.metrics.count("training.learning_rate"), 0u) << "a gene";
    EXPECT_EQ(selection.metrics.at("flops"), 8);
    EXPECT_EQ(selection.metrics.at("val_rmse_n"), 3);
    EXPECT_THAT(selection.promise.metrics,
                ElementsAre(Pair("latency_ms", 2), Pair("latency_valid", 1)));
    EXPECT_EQ(selection.promise.device, "cam");
    EXPECT_EQ(selection.promise.device_class, "board/eager-1");
    EXPECT_EQ(selection.promise.runtime, "onnxruntime") << "the newest of its conditions";
    EXPECT_EQ(selection.promise.threads, 2);
    EXPECT_FALSE(selection.promise.modelled);
    EXPECT_FALSE(selection.may_change);
    const Selection other = select(run_.root(), "7");
    EXPECT_EQ(other.weights_file, "");
    EXPECT_EQ(other.promise.device_class, "") << "who measured it is not known";
}

TEST_F(SelectionTest, OfSeveralClassesOfDevicesTheFirstObjectivesOneCounts) {
    write("provenance.json",
          R"({"identity":{"objectives":"val_rmse,latency_ms@pi,latency_ms@board"},)"
          R"("devices":[{"name":"cam","class":"pi"},{"name":"big","class":"board"}]})");
    write(
        "conditions.json",
        R"({"conditions":[{"number":1,"measuring":{"device-class":"board pi:threads=3,runtime=native",)"
        R"("measure-runtime":"eager","measure-processor":"cpu","measure-threads":"2"}}]})");
    write("pareto.csv",
          "id,val_rmse,latency_ms@pi,latency_ms@board,flops,latency_is_modelled@board,conditions,"
          "device@board,device@pi\n5,0.1,4,2,9,1,1,big,cam\n7,0.2,3,5,9,1,1,big,cam\n");
    EXPECT_EQ(chosen("fastest"), 7u);
    const Promise promise = select(run_.root(), "5").promise;
    EXPECT_THAT(promise.metrics, ElementsAre(Pair("latency_ms", 4)));
    EXPECT_EQ(promise.device, "cam");
    EXPECT_EQ(promise.device_class, "pi");
    EXPECT_EQ(promise.runtime, "native");
    EXPECT_EQ(promise.processor, "cpu");
    EXPECT_EQ(promise.threads, 3);
    EXPECT_FALSE(promise.modelled);
}

TEST_F(SelectionTest, ARunUnderWayMayBeSelectedFromAndSaysSo) {
    write("status.json", R"({"phase":"running"})");
    EXPECT_TRUE(select(run_.root(), "best").may_change);
    write("pareto.csv", "id,val_rmse,latency_ms\n4,0.1,1\n");
    EXPECT_THAT(refusal<ConfigError>("4"), HasSubstr("try again"));
}

TEST_F(SelectionTest, WhatCannotBeSelectedIsRefused) {
    EXPECT_THAT(refusal<ConfigError>("4"),
                HasSubstr("design 4 is not on the front of '" + run_.root() +
                          "' (its members are 3, 5, 7, 2)"));
    EXPECT_THAT(refusal<ConfigError>("middle"), HasSubstr("knee, fastest or best"));
    EXPECT_THAT(refusal<ConfigError>("-1"), HasSubstr("cannot select '-1'"));
    write("pareto.csv", "id,val_rmse,latency_ms\n");
    EXPECT_THAT(refusal<ConfigError>("best"), HasSubstr("is empty"));
    std::filesystem::remove(run_.path("pareto.csv"));
    EXPECT_THAT(refusal<ConfigError>("best"), HasSubstr("has no front"));
    EXPECT_THROW((void)select(run_.path("nowhere"), "best"), ConfigError);
}

TEST_F(SelectionTest, WithoutALatencyNoneIsTheFastest) {
    write("provenance.json", R"({"identity":{"objectives":"val_rmse,flops"}})");
    write("pareto.csv", "id,val_rmse,flops\n3,0.1,5\n5,0.4,4\n");
    EXPECT_THAT(refusal<ConfigError>("fastest"), HasSubstr("has a latency"));
    EXPECT_EQ(chosen("best"), 3u);
    EXPECT_TRUE(select(run_.root(), "3").promise.empty());
}

TEST_F(SelectionTest, TablesThatNoSearchWroteAreRefused) {
    for (const char* table :
         {"", "name,val_rmse\n", "id,val_rmse,latency_ms\n1,2\n", "id,val_rmse,latency_ms\nx,1,2\n",
          "id,val_rmse,latency_ms\n1,a,2\n", "id,val_rmse\n1,2\n"}) {
        write("pareto.csv", table);
        EXPECT_NE(refusal<CorruptState>("best"), "") << table;
    }
    write("pareto.csv", "id,val_rmse,latency_ms\n3,1,2\n");
    for (const char* provenance : {"", "[]", "{}", R"({"identity":7})"}) {
        write("provenance.json", provenance);
        EXPECT_NE(refusal<CorruptState>("best"), "") << provenance;
    }
}

TEST(OldRuns, AreSelectedFrom) {
    const std::string run = test::test_data("runs/v0.1/training");
    const Selection selection = select(run, "knee");
    EXPECT_EQ(selection.id, 3u);
    EXPECT_EQ(selection.weights_file, run + "/models/3/weights.safetensors");
    EXPECT_TRUE(selection.may_change);
    EXPECT_TRUE(selection.promise.modelled);
    EXPECT_EQ(selection.promise.device_class, "");
    EXPECT_THROW((void)select(test::test_data("runs/v0.1/generational"), "best"), ConfigError)
        << "a test problem has no networks";
}

}  // namespace
}  // namespace edgeloop::selection_test
