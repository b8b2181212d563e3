// A quantised network as Verilog, and its own test bench in the tools that users have.
#include "support/places.hpp"
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"
#include "support/tools.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string spec = test::test_data("specs/cnn3d_rtl.json");

std::vector<std::string> export_line(const std::vector<std::string>& more) {
    std::vector<std::string> line{test::program("edgeloop-model"), "export", "--format", "rtl"};
    line.insert(line.end(), more.begin(), more.end());
    return line;
}

test::ProgramResult in_shell(const std::string& folder, const std::string& command) {
    return test::run({"/bin/sh", "-c", "cd '" + folder + "' && " + command});
}

/// The one line of the folder's README that begins with this.
std::string documented(const std::string& folder, const std::string& beginning) {
    const std::string readme = read_file(folder + "/README.md");
    const std::size_t at = readme.find("\n" + beginning);
    EXPECT_NE(at, std::string::npos) << beginning;
    return at == std::string::npos ? "false"
                                   : readme.substr(at + 1, readme.find('\n', at + 1) - at - 1);
}

TEST(Rtl, AFolderSaysWhatItCosts) {
    const test::TemporaryFolder root;
    const std::string folder = root.path("accelerator");
    const test::ProgramResult result =
        test::run(export_line({"--spec", spec, "--part", "zynq7020", "--output", folder}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("200.0 MHz (assumed)"));
    EXPECT_THAT(result.output, HasSubstr("not simulated"));
    const Json record = Json::parse(read_file(folder + "/record.json"));
    EXPECT_EQ(record.at("part"), "zynq7020");
    EXPECT_EQ(record.at("clock_origin"), "assumed");
    EXPECT_EQ(record.at("resources_origin"), "estimated");
    EXPECT_EQ(record.at("hardware").at("cycles"), 2000);
    EXPECT_GT(record.at("lut").get<int>(), 100);
    EXPECT_LT(record.at("interval_cycles").get<int>(), 2 * 3 * 2000)
        << "no layer takes more than 3 x 2000, and none hinders another for as long again";

    // The same of the native file in it, which says its hardware itself.
    const std::string again = root.path("again");
    const test::ProgramResult second = test::run(export_line(
        {"--native", folder + "/network.elm", "--part", "zynq7020", "--output", again}));
    ASSERT_EQ(second.code, 0) << second.output;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        EXPECT_EQ(read_file(again + "/" + entry.path().filename().string()),
                  read_file(entry.path().string()))
            << entry.path();
}

TEST(Rtl, ItsTestBenchPassesInIcarus) {
    if (!test::has_tool("iverilog")) GTEST_SKIP() << "install the package iverilog";
    const test::TemporaryFolder root;
    const std::string folder = root.path("accelerator");
    const test::ProgramResult result =
        test::run(export_line({"--spec", spec, "--part", "ice40-hx8k", "--output", folder}));
    ASSERT_EQ(result.code, 0) << result.output;
    const test::ProgramResult bench = in_shell(folder, documented(folder, "iverilog "));
    EXPECT_EQ(bench.code, 0) << bench.output;
    EXPECT_THAT(bench.output, HasSubstr("PASSED: 4 clips"));
    const test::ProgramResult stalled = in_shell(folder, "vvp simulation +stalls=7");
    EXPECT_THAT(stalled.output, HasSubstr("PASSED: 4 clips"));

    std::string answers = read_file(folder + "/answers.hex");
    answers[0] = answers[0] == '0' ? '1' : '0';
    write_file_atomic(folder + "/answers.hex", answers);
    EXPECT_THAT(in_shell(folder, "vvp simulation").output, HasSubstr("FAILED"));
}

TEST(Rtl, ItsTestBenchPassesInVerilator) {
    if (!test::has_tool("verilator")) GTEST_SKIP() << "install the package verilator";
    const test::TemporaryFolder root;
    const std::string folder = root.path("accelerator");
    const test::ProgramResult result =
        test::run(export_line({"--spec", spec, "--part", "zynq7020", "--cycles", "500",
                               "--simulate", "--output", folder}));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("simulated: all answers equal the integer reference"));
    EXPECT_EQ(Json::parse(read_file(folder + "/record.json")).at("cycles_origin"), "simulated");
    const test::ProgramResult built = in_shell(folder, documented(folder, "verilator "));
    ASSERT_EQ(built.code, 0) << built.output;
    EXPECT_THAT(in_shell(folder, "obj_dir/Vtestbench +stalls=3").output, HasSubstr("PASSED"));
}

TEST(Rtl, WhatHasNoCircuitIsRefusedInALine) {
    const test::TemporaryFolder root;
    const std::string folder = root.path("accelerator");
    const auto refused = [&](const std::vector<std::string>& more) {
        std::vector<std::string> line = export_line({"--output", folder});
        line.insert(line.end(), more.begin(), more.end());
        const test::ProgramResult result = test::run(line);
        EXPECT_EQ(result.code, 2) << result.output;
        EXPECT_FALSE(std::filesystem::exists(folder));
        return result.output;
    };
    EXPECT_THAT(refused({"--spec", spec, "--part", "zynq9999"}), HasSubstr("zynq7020"));
    EXPECT_THAT(refused({"--spec", test::test_data("specs/cnn3d_tiny.json")}),
                HasSubstr("has no circuit"));
    EXPECT_THAT(refused({"--spec", spec, "--part", "ice40-hx8k", "--multipliers", "dsp"}),
                HasSubstr("no multiplier blocks"));
    const std::string part = root.path("small.json");
    write_file_atomic(part, R"({"title": "a small part", "family": "ice40", "lut": 300, "ff": 900,
        "ram": 4, "ram_bits": 4096, "dsp": 0, "clock_mhz": 50, "synthesis": "synth_ice40",
        "usable": {"lut": 0.9, "ff": 0.9, "ram": 1, "dsp": 0}})");
    EXPECT_THAT(refused({"--spec", spec, "--part", part}),
                AllOf(HasSubstr("does not fit a small part"), HasSubstr("of 270 LUTs")));
    EXPECT_THAT(refused({"--spec", spec, "--place"}),
                HasSubstr("no free place and route for AMD Zynq-7020"));
    const test::ProgramResult other =
        test::run({test::program("edgeloop-model"), "export", "--spec", spec, "--format", "native",
                   "--simulate", "--output", folder});
    EXPECT_EQ(other.code, 2);
    EXPECT_THAT(other.output, HasSubstr("--format rtl"));
}

TEST(Rtl, AToolThatIsAbsentIsNamed) {
    const test::TemporaryFolder root;
    const test::ProgramResult result = test::run(
        {"/usr/bin/env", "PATH=" + root.path("nothing"), test::program("edgeloop-model"), "export",
         "--format", "rtl", "--spec", spec, "--simulate", "--output", root.path("accelerator")});
    EXPECT_EQ(result.code, 3) << result.output;
    EXPECT_THAT(result.output, HasSubstr("install the package verilator"));
    EXPECT_FALSE(std::filesystem::exists(root.path("accelerator")));
}

}  // namespace
}  // namespace edgeloop
