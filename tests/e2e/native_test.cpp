// A network without LibTorch: exported, run by a C program, measured by an agent.
#include "support/places.hpp"
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

const std::string spec = test::test_data("specs/cnn3d_tiny.json");

/// What edgeloop-edge says of a network on a runtime.
Json measured(const std::string& runtime, const std::string& design, int threads = 1) {
    const test::ProgramResult result =
        test::run({test::program("edgeloop-edge"), "measure", "--spec", design, "--runtime",
                   runtime, "--threads", std::to_string(threads), "--seconds", "0.2", "--json"});
    EXPECT_EQ(result.code, 0) << result.output;
    return result.code == 0 ? Json::parse(result.output).at("metrics") : Json();
}

TEST(Native, AFileIsExportedComparedAndRunByACProgram) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("model.elm");
    const test::ProgramResult exported =
        test::run({test::program("edgeloop-model"), "export", "--spec", spec, "--format", "native",
                   "--output", file});
    ASSERT_EQ(exported.code, 0) << exported.output;
    EXPECT_THAT(exported.output, HasSubstr("compared with the network on 1000 clips"));
    const test::ProgramResult run = test::run({test::test_program("c_program"), file});
    ASSERT_EQ(run.code, 0) << run.output;
    EXPECT_THAT(run.output, MatchesRegex("speed -?[0-9.e-]+ mm/s\npower -?[0-9.e-]+ W\n"));

    std::string bytes = read_file(file);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file_atomic(file, bytes);
    const test::ProgramResult broken = test::run({test::test_program("c_program"), file});
    EXPECT_EQ(broken.code, 4);
    EXPECT_THAT(broken.output, HasSubstr("checksum"));
}

TEST(Native, OtherPrecisionsAndFamiliesAreRefused) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("model.elm");
    const auto refused = [&](const std::vector<std::string>& more) {
        std::vector<std::string> line{
            test::program("edgeloop-model"), "export", "--format", "native", "--output", file};
        line.insert(line.end(), more.begin(), more.end());
        const test::ProgramResult result = test::run(line);
        EXPECT_EQ(result.code, 2) << result.output;
        EXPECT_FALSE(std::filesystem::exists(file));
        return result.output;
    };
    EXPECT_THAT(refused({"--spec", spec, "--precision", "float16"}), HasSubstr("float16"));
    EXPECT_THAT(refused({"--spec", "human"}), HasSubstr("swin3d"));
}

TEST(Native, AnAgentMeasuresIt) {
    const Json eager = measured("eager", spec);
    for (const int threads : {1, 2}) {
        const Json native = measured("native", spec, threads);
        EXPECT_GT(native.at("latency_ms").get<double>(), 0);
        EXPECT_EQ(native.at("parameters"), eager.at("parameters"));
        EXPECT_EQ(native.at("model_size_mib"), eager.at("model_size_mib"));
    }
    const test::ProgramResult refused = test::run(
        {test::program("edgeloop-edge"), "measure", "--spec", "human", "--runtime", "native"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_THAT(refused.output, HasSubstr("no layers for the family swin3d"));
}

}  // namespace
}  // namespace edgeloop
