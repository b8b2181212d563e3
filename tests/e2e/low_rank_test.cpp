// Tensor forms through the programs: described, trained until ranks are final, exported in every
// format; searched as genes with memory as a goal; refused with their place.
#include "support/places.hpp"
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;

const std::string shards = e2e_data("shards");

Json small_spec() {
    return Json::parse(R"({"family": "cnn3d", "architecture": {"stages": [
        {"channels": 6, "pool": [1, 2, 2]}, {"channels": 8, "pool": [2, 2, 2]}],
        "hidden": [8], "reduce": "flatten"}, "clip": {"frames": 4, "side": 12},
        "training": {"learning_rate": 0.005, "batch": 4, "epochs": 4},
        "low_rank": {"strength": 5, "stages": [{}, {"format": "tt", "rank_max": 6,
        "rank_target": 3}], "dense": {"format": "tt"}}})");
}

std::string spec_file(const TemporaryFolder& folder, const Json& spec) {
    write_file_atomic(folder.path("spec.json"), spec.dump());
    return folder.path("spec.json");
}

TEST(LowRank, IsTrainedUntilRanksAreFinalAndExported) {
    const TemporaryFolder folder;
    const std::string out = folder.path("trained");
    const auto trained = run({program("edgeloop-model"), "train", "--spec",
                              spec_file(folder, small_spec()), "--data", shards, "--out", out});
    ASSERT_EQ(trained.code, 0) << trained.output;
    const Json spec = read_json_file(out + "/spec.json").at("low_rank");
    EXPECT_EQ(spec.at("stages").at(1).at("ranks").size(), 4u);
    EXPECT_EQ(spec.at("dense").at("ranks").size(), 3u);
    const Json record = read_json_file(out + "/training.json");
    const double parameters = record.at("metrics").at("final_parameters").at("mean");
    const auto described =
        run({program("edgeloop-model"), "describe", "--spec", out + "/spec.json", "--json"});
    ASSERT_EQ(described.code, 0) << described.output;
    EXPECT_EQ(Json::parse(described.output).at("parameters"), parameters);
    EXPECT_GT(record.at("metrics").at("peak_training_mib").at("mean").get<double>(), 0);
    const auto evaluated = run({program("edgeloop-model"), "evaluate", "--model", out, "--data",
                                shards, "--part", "validation"});
    EXPECT_EQ(evaluated.code, 0) << evaluated.output;
    for (const char* format : {"onnx", "torchscript", "native"}) {
        const auto exported =
            run({program("edgeloop-model"), "export", "--model", out, "--format", format,
                 "--output", folder.path(std::string("model.") + format)});
        EXPECT_EQ(exported.code, 0) << format << ": " << exported.output;
    }
}

TEST(LowRank, DescribesWhereTrainingMemoryGoes) {
    const TemporaryFolder folder;
    const std::string file = spec_file(folder, small_spec());
    const auto table = run({program("edgeloop-model"), "describe", "--spec", file});
    ASSERT_EQ(table.code, 0) << table.output;
    EXPECT_THAT(table.output, HasSubstr("stages.1.conv.0"));
    EXPECT_THAT(table.output, HasSubstr("tt linear"));
    EXPECT_THAT(table.output, HasSubstr("optimiser"));
    const auto json = run({program("edgeloop-model"), "describe", "--spec", file, "--json"});
    const Json memory = Json::parse(json.output).at("training_memory_bytes");
    double sum = 0;
    for (const char* kind : {"weights", "gradients", "optimiser", "activations", "derived"})
        sum += memory.at(kind).get<double>();
    EXPECT_GT(sum, 0);
    EXPECT_EQ(memory.at("total").get<double>(), sum);
}

/// The shipped space with clips and widths that train in a moment.
std::string small_space(const TemporaryFolder& folder) {
    Json space = read_json_file(in_source("src/space/spaces/cnn3d-lowrank.json"));
    for (Json& variable : space.at("variables")) {
        const std::string name = variable.at("name");
        const auto is = [&](const char* part) { return name.find(part) != std::string::npos; };
        if (is("clip.frames")) variable["choices"] = {4, 6};
        if (is("clip.stride")) variable["choices"] = Json::array({1});
        if (is("clip.side")) variable["choices"] = {12, 16};
        if (is("channels")) variable["choices"] = {4, 6};
        if (name.rfind("rank.", 0) == 0) variable["choices"] = {2, 3};
        if (is("architecture.hidden.")) variable["choices"] = {4, 8};
    }
    write_file_atomic(folder.path("lowrank.json"), space.dump());
    return folder.path("lowrank.json");
}

TEST(LowRank, IsSearchedWithMemoryAsAGoal) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const auto result = run(mpirun(2, {program("edgeloop-search"),
                                       "--data",
                                       shards,
                                       "--space",
                                       small_space(folder),
                                       "--run-dir",
                                       dir,
                                       "--edge",
                                       "none",
                                       "--objectives",
                                       "val_rmse",
                                       "training_memory_mib",
                                       "--constraint",
                                       "peak_training_mib<=1e4",
                                       "--engine",
                                       "generational",
                                       "--confirm",
                                       "0",
                                       "--epochs",
                                       "2",
                                       "--population",
                                       "4",
                                       "--evaluations",
                                       "8",
                                       "--seed",
                                       "3"}));
    ASSERT_EQ(result.code, 0) << result.output;
    const auto table = read_table(dir + "/evaluations.csv");
    const auto status = column(table, "status"), counted = column(table, "training_memory_mib"),
               measured = column(table, "peak_training_mib");
    int completed = 0;
    for (std::size_t i = 0; i < status.size(); ++i) {
        if (status[i] != "completed") continue;
        ++completed;
        EXPECT_GT(std::stod(counted[i]), 0);
        // Scratch memory and clips are in what is measured, and not in what is counted.
        EXPECT_GT(std::stod(measured[i]), 0.5 * std::stod(counted[i]));
    }
    EXPECT_GE(completed, 6) << result.output;
}

TEST(LowRank, IsRefusedWithItsPlace) {
    const TemporaryFolder folder;
    const auto refused = [&](const char* pointer, const Json& value) {
        Json spec = small_spec();
        spec[Json::json_pointer(pointer)] = value;
        const auto result =
            run({program("edgeloop-model"), "describe", "--spec", spec_file(folder, spec)});
        EXPECT_EQ(result.code, 2) << result.output;
        return result.output;
    };
    EXPECT_THAT(refused("/low_rank/stages/1/format", "ttm"),
                HasSubstr("low_rank.stages[1].format: these layers have no format 'ttm'"));
    EXPECT_THAT(refused("/low_rank/stages/1/rank_target", 9),
                HasSubstr("low_rank.stages[1].rank_target: 9 is above rank_max 6"));
    EXPECT_THAT(refused("/low_rank/stages/1/ranks", {1, 2}),
                HasSubstr("low_rank.stages[1].ranks: 2 ranks"));
    EXPECT_THAT(refused("/low_rank/dense/rank_max", -1), HasSubstr("low_rank.dense.rank_max"));
}

}  // namespace
}  // namespace edgeloop::test
