// A network goes on learning on a device: edgeloop-data labelled and edgeloop-edge adapt.
#include "support/blobs.hpp"
#include "support/places.hpp"
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/adaptation/labelled_clips.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/inference/model_file.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using ::testing::HasSubstr;

class AdaptProgram : public ::testing::Test {
  protected:
    void SetUp() override {
        write_file_atomic(model, inference::encode_model(test::blob_network()));
    }
    [[nodiscard]] test::ProgramResult adapt(const std::vector<std::string>& more) const {
        std::vector<std::string> line{
            test::program("edgeloop-edge"), "adapt", "--model", model, "--labelled", labelled};
        line.insert(line.end(), more.begin(), more.end());
        constexpr double limit_seconds = 280;  // it computes all the time
        return test::run(line, limit_seconds);
    }
    const test::TemporaryFolder folder;
    const std::string model = folder.path("model.elm"), labelled = folder.path("labelled");
    const std::string out = folder.path("out.elm");
};

TEST_F(AdaptProgram, LearnsThenFollowsADriftAndReplacesItsOwnModel) {
    test::write_blobs(labelled, {});
    const test::ProgramResult first =
        adapt({"--out", model, "--epochs", "40", "--batch", "8", "--learning-rate", "0.003"});
    ASSERT_EQ(first.code, 0) << first.output;
    EXPECT_THAT(first.output, HasSubstr("120 clips of 120 lines, 30 lines held back"));
    test::Blobs drifted;
    drifted.gain = 0.6;
    drifted.seed = 2;
    test::write_blobs(labelled, drifted);
    const test::ProgramResult second =
        adapt({"--out", model, "--epochs", "40", "--batch", "8", "--learning-rate", "0.003",
               "--memory-limit-mib", "1", "--optimizer", "adam", "--json"});
    ASSERT_EQ(second.code, 0) << second.output;
    const Json report = Json::parse(second.output);
    EXPECT_TRUE(report.at("kept").get<bool>());
    EXPECT_LT(report.at("before").at("r2")[0].get<double>(), 0.5);
    EXPECT_GT(report.at("after").at("r2")[0].get<double>(), 0.8);
    EXPECT_LE(report.at("memory_bytes").at("total").get<double>(), 1 << 20);
}

TEST_F(AdaptProgram, NonsenseIsSaidInOneLineAndNothingIsWritten) {
    test::Blobs blobs;
    blobs.has_nonsense = true;
    test::write_blobs(labelled, blobs);
    const test::ProgramResult result = adapt({"--out", out, "--epochs", "10"});
    EXPECT_EQ(result.code, 2) << result.output;
    EXPECT_THAT(result.output, HasSubstr("the adapted model is not kept"));
    EXPECT_FALSE(std::filesystem::exists(out));
    const test::ProgramResult model_as_clips =
        test::run({test::program("edgeloop-edge"), "adapt", "--model", model, "--labelled", model,
                   "--out", out});
    EXPECT_EQ(model_as_clips.code, 2) << model_as_clips.output;
}

TEST_F(AdaptProgram, LabelledClipsComeFromShardsWithTheirDrift) {
    const auto write = [&](const std::vector<std::string>& more) {
        std::vector<std::string> line{test::program("edgeloop-data"),
                                      "labelled",
                                      "--data",
                                      test::e2e_data("shards"),
                                      "--part",
                                      "validation",
                                      "--frames",
                                      "8",
                                      "--output",
                                      labelled};
        line.insert(line.end(), more.begin(), more.end());
        const test::ProgramResult result = test::run(line);
        EXPECT_EQ(result.code, 0) << result.output;
    };
    write({});
    const adaptation::LabelledClips plain(labelled);
    ASSERT_GT(plain.count(), 3U);
    ASSERT_EQ(plain.frames(), 8U);
    ASSERT_EQ(plain.targets(), 2U);
    write({"--gain", "0.5", "--offset", "12"});
    const adaptation::LabelledClips drifted(labelled);
    ASSERT_EQ(drifted.count(), plain.count());
    std::vector<std::uint8_t> before(8 * crop_pixels), after(before.size());
    for (std::size_t i = 0; i < plain.count(); ++i) {
        EXPECT_EQ(drifted.line(i), plain.line(i));
        EXPECT_GE(plain.expected(i)[0], 300);  // mm/s
        EXPECT_LE(plain.expected(i)[0], 1500);
        EXPECT_EQ(drifted.expected(i)[1], plain.expected(i)[1]);
        plain.read(i, before.data());
        drifted.read(i, after.data());
        for (std::size_t k = 0; k < before.size(); ++k)
            ASSERT_EQ(int(after[k]), std::lround(0.5 * before[k] + 12));
    }
    write({"--blur", "2"});
    const adaptation::LabelledClips blurred(labelled);
    blurred.read(0, after.data());
    plain.read(0, before.data());
    EXPECT_LT(*std::max_element(after.begin(), after.begin() + crop_pixels),
              *std::max_element(before.begin(), before.begin() + crop_pixels));
}

}  // namespace
}  // namespace edgeloop
