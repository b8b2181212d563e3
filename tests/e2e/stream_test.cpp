// edgeloop-edge run: a stream of frames in, a prediction of each window out.
#include "support/places.hpp"
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/inference/model_file.hpp"
#include "edgeloop/inference/networks.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Stream : public ::testing::Test {
  protected:
    void SetUp() override {
        inference::Graph graph = inference::random_graph_of(
            ArchitectureSpec::from_file(test::test_data("specs/cnn3d_tiny.json")));
        graph.metadata["targets"] = {{{"name", "speed"}, {"unit", "mm/s"}, {"scale", 1000}},
                                     {{"name", "power"}, {"unit", "W"}, {"scale", 100}}};
        write_file_atomic(model, inference::encode_model(graph));
        RandomStream random(1, "frames");
        for (std::size_t i = 0; i < count * crop_pixels; ++i)
            bytes += static_cast<char>(random.below(256));
        write_file_atomic(frames, bytes);
    }

    [[nodiscard]] std::vector<std::string> line(std::vector<std::string> more) const {
        more.insert(more.begin(), {test::program("edgeloop-edge"), "run", "--model", model});
        return more;
    }
    /// A shell that has the program as $0 run, and these files as $1 and $2.
    [[nodiscard]] test::ProgramResult shell(const std::string& script) const {
        return test::run({"/bin/bash", "-c", "set -o pipefail; cd \"$3\"; " + script,
                          test::program("edgeloop-edge"), model, frames, folder.root()});
    }

    static constexpr std::size_t count = 4000;
    const test::TemporaryFolder folder;
    const std::string model = folder.path("model.elm"), frames = folder.path("frames");
    std::string bytes;
};

TEST_F(Stream, PredictionsOfAPipeAreThoseOfTheCropModel) {
    const test::ProgramResult result = shell(
        "cat \"$2\" | \"$0\" run --model \"$1\" --frames - --rate 0 --stride 3 --format "
        "binary --figures figures.json | cat > out");
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("4000 frames, 1331 windows"));
    const std::string out = read_file(folder.path("out"));
    ASSERT_EQ(out.size(), 1331U * 16);
    inference::CropModel whole(inference::read_model(model));
    for (std::size_t k = 0; k < 1331; ++k) {
        float values[2];
        whole.run(reinterpret_cast<const std::uint8_t*>(bytes.data()) + 3 * k * crop_pixels,
                  values);
        ASSERT_EQ(std::memcmp(out.data() + 16 * k + 8, values, sizeof values), 0) << k;
        std::uint64_t frame = 0;
        std::memcpy(&frame, out.data() + 16 * k, sizeof frame);
        ASSERT_EQ(frame, 3 * k + 7);
    }
    const Json figures = read_json_file(folder.path("figures.json"));
    EXPECT_EQ(figures.at("windows"), 1331);
    EXPECT_LE(figures.at("latency_us").at("p50"), figures.at("latency_us").at("p99"));
    EXPECT_LE(figures.at("latency_us").at("p99"), figures.at("latency_us").at("worst"));
}

TEST_F(Stream, FramesOfAFileAreTakenAtTheRate) {
    const test::ProgramResult result =
        test::run(line({"--frames", frames, "--rate", "8000", "--stride", "8", "--output",
                        folder.path("out.csv"), "--figures", folder.path("figures.json")}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("deadline of 1000 us"));
    const std::string csv = read_file(folder.path("out.csv"));
    EXPECT_THAT(csv, StartsWith("frame,speed [mm/s],power [W]\n7,"));
    EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 500);
    // The last frame is due 3999 periods after the first, and is not taken before.
    EXPECT_GE(read_json_file(folder.path("figures.json")).at("seconds").get<double>(),
              3999.0 / 8000);
}

TEST_F(Stream, ASignalEndsItWithItsFigures) {
    ChildOptions options;
    options.arguments =
        line({"--frames", frames, "--rate", "400", "--output", folder.path("out.csv")});
    options.output_file = folder.path("said");
    ChildProcess child(options);
    ASSERT_TRUE(test::wait_for_lines(folder.path("out.csv"), 3));
    ASSERT_EQ(::kill(child.pid(), SIGTERM), 0);
    const auto exit = child.wait_for(20);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->code, 0);
    EXPECT_THAT(read_file(folder.path("said")), HasSubstr("latency p50"));
}

TEST_F(Stream, MalformedStreamsAreSaidInOneLine) {
    const auto refused = [&](const test::ProgramResult& result, const std::string& what) {
        EXPECT_EQ(result.code, 2) << result.output;
        EXPECT_THAT(result.output, HasSubstr(what));
    };
    refused(test::run(line({"--frames", frames, "--size", "40x40"})), "no whole frames of 40x40");
    refused(test::run(line({"--frames", frames, "--size", "41"})), "--size: '41' cannot be");
    refused(test::run(line({"--frames", frames, "--centre", "41,0"})), "outside the frames");
    refused(test::run(line({"--frames", folder.path("none")})), "none");
    refused(shell("head -c 20000 \"$2\" | \"$0\" run --model \"$1\" --frames - --rate 0"),
            "end within one, after 1509 bytes of 1681");
    refused(shell("head -c 5043 \"$2\" | \"$0\" run --model \"$1\" --frames - --rate 0"),
            "there are 3 frames");
}

TEST_F(Stream, WhoStallsIsNamed) {
    // The shell holds the other end of the pipe, and neither reads nor writes.
    const test::ProgramResult reader = shell(
        "mkfifo out && exec 5<>out && \"$0\" run --model \"$1\" --frames \"$2\" --rate 0 "
        "--stride 1 --stall-limit 0.2 > out");
    EXPECT_EQ(reader.code, 3) << reader.output;
    EXPECT_THAT(reader.output, HasSubstr("their reader stalled for 0.2 s"));
    const test::ProgramResult gone =
        shell("\"$0\" run --model \"$1\" --frames \"$2\" --rate 0 --stride 1 | true");
    EXPECT_EQ(gone.code, 3) << gone.output;
    EXPECT_THAT(gone.output, HasSubstr("their reader has gone"));
    const test::ProgramResult source = shell(
        "mkfifo in && exec 5<>in && \"$0\" run --model \"$1\" --frames - --stall-limit 0.2 "
        "< in");
    EXPECT_EQ(source.code, 3) << source.output;
    EXPECT_THAT(source.output, HasSubstr("no frame came for 0.2 s"));
}

}  // namespace
}  // namespace edgeloop
