// A network without LibTorch: exported, run by a C program, measured by an agent.
#include "support/places.hpp"
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/inference/model_file.hpp"
#include "edgeloop/preprocessing/frames.hpp"

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

TEST(Native, AnAgentMeasuresTheFileAndComparesItsAnswers) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("model.elm");
    const test::ProgramResult exported =
        test::run({test::program("edgeloop-model"), "export", "--spec", spec, "--format", "native",
                   "--output", file});
    ASSERT_EQ(exported.code, 0) << exported.output;
    const auto measure = [&](std::vector<std::string> more) {
        std::vector<std::string> line{
            test::program("edgeloop-edge"), "measure", "--seconds", "0.05", "--model", file};
        line.insert(line.end(), more.begin(), more.end());
        return test::run(line);
    };
    const test::ProgramResult plain = measure({"--batch", "1,3", "--json"});
    ASSERT_EQ(plain.code, 0) << plain.output;
    const Json metrics = Json::parse(plain.output).at("metrics");
    EXPECT_GT(metrics.at("latency_b3_ms"), metrics.at("latency_ms"));
    EXPECT_EQ(metrics.at("parameters"), measured("native", spec).at("parameters"));

    // Crops in, the physical values of the C program out.
    const inference::Graph graph = inference::read_model(file);
    inference::CropModel network{graph};
    const std::int64_t frames = network.frames(), vectors = 5;
    std::string crops(static_cast<std::size_t>(vectors * frames * crop_side * crop_side), '\0');
    for (std::size_t i = 0; i < crops.size(); ++i) crops[i] = static_cast<char>(i * 7 % 251);
    std::vector<float> physical(static_cast<std::size_t>(vectors) * network.targets().size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(vectors); ++i)
        network.run(reinterpret_cast<const std::uint8_t*>(crops.data()) +
                        i * crops.size() / static_cast<std::size_t>(vectors),
                    physical.data() + i * network.targets().size());
    const auto write_vectors = [&](const std::string& name) {
        SafeTensors content;
        content.tensors["input"] = {
            ElementType::u8, {vectors, frames, crop_side, crop_side}, crops};
        content.tensors["expected"] = {
            ElementType::f32,
            {vectors, static_cast<std::int64_t>(network.targets().size())},
            {reinterpret_cast<const char*>(physical.data()), physical.size() * sizeof(float)}};
        write_file_atomic(folder.path(name), encode_safetensors(content));
        return folder.path(name);
    };
    const test::ProgramResult held =
        measure({"--vectors", write_vectors("right.safetensors"), "--batch", "2"});
    EXPECT_EQ(held.code, 0) << held.output;
    EXPECT_THAT(held.output, HasSubstr("prediction               holds (5 vectors"));
    physical.back() += 1;
    const test::ProgramResult differs = measure({"--vectors", write_vectors("wrong.safetensors")});
    EXPECT_EQ(differs.code, 2);
    EXPECT_THAT(differs.output, HasSubstr("first wrong: 4"));

    const test::ProgramResult misfit = measure({"--input", "1x1x2x41x41"});
    EXPECT_EQ(misfit.code, 2);
    EXPECT_THAT(misfit.output, HasSubstr("input 0 of the model"));
    std::string bytes = read_file(file);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file_atomic(file, bytes);
    const test::ProgramResult broken = measure({});
    EXPECT_EQ(broken.code, 2);
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

TEST(Native, QonnxFilesAreOfQuantisedNetworks) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("model.onnx"), low = folder.path("low.json");
    Json design = Json::parse(read_file(spec));
    design["architecture"]["norm"] = "affine";
    const Json few{{"weights", 2}, {"activations", 2}};
    design["quantisation"] = {{"quantiser", "vecq"}, {"stages", {Json::object()}}, {"dense", few}};
    while (design["quantisation"]["stages"].size() < design["architecture"]["stages"].size())
        design["quantisation"]["stages"].push_back(few);
    write_file_atomic(low, design.dump());
    const auto exported = [&](const std::string& of, const std::vector<std::string>& more = {}) {
        std::vector<std::string> line{test::program("edgeloop-model"),
                                      "export",
                                      "--spec",
                                      of,
                                      "--format",
                                      "qonnx",
                                      "--output",
                                      file};
        line.insert(line.end(), more.begin(), more.end());
        return test::run(line);
    };
    const test::ProgramResult refused = exported(spec);
    EXPECT_EQ(refused.code, 2);
    EXPECT_THAT(refused.output, HasSubstr("of integers, and this network is of float32"));
    EXPECT_EQ(exported(low, {"--with-preprocessing"}).code, 2);
    EXPECT_EQ(exported(low, {"--precision", "float16"}).code, 2);
    EXPECT_FALSE(std::filesystem::exists(file));
    const test::ProgramResult result = exported(low, {"--batch", "free"});
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("on 1000 clips"));
    EXPECT_THAT(read_file(file), HasSubstr("qonnx.custom_op.general"));
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
