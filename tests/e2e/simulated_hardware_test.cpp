// A search with a timed class of devices beside simulated hardware, through the real programs.
#include "support/programs.hpp"
#include "support/small_search.hpp"
#include "support/temporary_folder.hpp"
#include "support/tools.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <filesystem>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

const Words two_classes{"--objectives",
                        "val_rmse",
                        "latency_ms@cpu",
                        "latency_us@rtl-zynq7020",
                        "--device-class",
                        "cpu:runtime=native,seconds=0.1",
                        "rtl-zynq7020:runtime=rtl"};

Words search(const std::string& run_dir, const Words& more) {
    return small_search(run_dir, Words{"--edge", "local", "--space", test_data("lowbit_space.json"),
                                       "--evaluations", "5"} +
                                     more);
}

TEST(SimulatedHardware, IsAClassOfDevicesInASearch) {
    if (!has_tool("verilator")) GTEST_SKIP() << "install the package verilator";
    const TemporaryFolder folder;
    const auto result =
        run(search(folder.path("run"), two_classes + Words{"--constraint", "dsp@rtl-zynq7020<=0"}));
    ASSERT_EQ(result.code, 0) << result.output;
    const auto rows = read_table(folder.path("run/evaluations.csv"));
    EXPECT_EQ(column(rows, "status").size(), 5u);
    EXPECT_THAT(column(rows, "status"), Each("completed"));
    for (const char* name : {"latency_ms@cpu", "latency_us@rtl-zynq7020", "cycles@rtl-zynq7020",
                             "initiation_interval@rtl-zynq7020", "lut@rtl-zynq7020"})
        for (const std::string& value : column(rows, name)) EXPECT_GT(std::stod(value), 0) << name;
    for (const char* name : {"latency_is_simulated@rtl-zynq7020", "clock_is_assumed@rtl-zynq7020",
                             "resources_are_estimated@rtl-zynq7020"})
        EXPECT_THAT(column(rows, name), Each("1")) << name;
    EXPECT_THAT(column(rows, "device@rtl-zynq7020"), Each(::testing::EndsWith("-rtl-zynq7020")));
    std::istringstream lines(read_file(folder.path("run/journal.jsonl")));
    int simulated = 0;
    for (std::string line; std::getline(lines, line);) {
        const Json event = Json::parse(line);
        if (event.at("event") != "measured" || event.value("class", "") != "rtl-zynq7020") continue;
        ++simulated;
        EXPECT_EQ(event.at("record").at("cycles_origin"), "simulated");
        EXPECT_EQ(event.at("record").at("clock_origin"), "assumed");
        EXPECT_EQ(event.at("record").at("resources_origin"), "estimated");
    }
    EXPECT_GT(simulated, 0);
}

TEST(SimulatedHardware, IsTimedByAPlan) {
    if (!has_tool("verilator")) GTEST_SKIP() << "install the package verilator";
    const TemporaryFolder folder;
    // No other class, whose measurements would be timed in any case.
    const auto result =
        run(search(folder.path("run"),
                   {"--objectives", "val_rmse", "latency_us@rtl-zynq7020", "--device-class",
                    "rtl-zynq7020:runtime=rtl", "--plan", "--plan-seconds", "1"}),
            280);
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output,
                AllOf(HasSubstr("measurements of"), Not(HasSubstr("not timed: measurements"))));
    EXPECT_TRUE(std::filesystem::is_empty(folder.root()));
}

TEST(SimulatedHardware, WhatNoPartHoldsIsRefusedBeforeAnythingTrains) {
    if (!has_tool("verilator")) GTEST_SKIP() << "install the package verilator";
    const TemporaryFolder folder;
    const auto refused = [&](const Words& more) {
        const auto result = run(search(folder.path("run"), more));
        EXPECT_EQ(result.code, 2) << result.output;
        EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
        return result.output;
    };
    EXPECT_THAT(refused({"--objectives", "val_rmse", "latency_us@fpga", "--device-class",
                         "fpga:runtime=rtl,part=zynq9999"}),
                AllOf(HasSubstr("there is no part 'zynq9999'"), HasSubstr("zynq7020")));
    EXPECT_THAT(refused(Words{"--constraint", "lut@rtl-zynq7020<=10"} + two_classes),
                AllOf(HasSubstr("can be simulated hardware"),
                      HasSubstr("which breaks lut@rtl-zynq7020<=10")));
    const auto floats =
        run(small_search(folder.path("run"), Words{"--edge", "local"} + two_classes));
    EXPECT_EQ(floats.code, 2) << floats.output;
    EXPECT_THAT(floats.output,
                AllOf(HasSubstr("have layers of 32 bits, which have no circuit for the class "
                                "rtl-zynq7020"),
                      HasSubstr("cnn3d-lowbit")));
}

TEST(SimulatedHardware, AnAgentIsOnePart) {
    const std::string spec = test_data("specs/cnn3d_rtl.json"), edge = program("edgeloop-edge");
    const auto unknown = run({edge, "serve", "--connect", "tcp://127.0.0.1:1", "--runtime", "rtl",
                              "--part", "zynq9999"});
    EXPECT_EQ(unknown.code, 2) << unknown.output;
    EXPECT_THAT(unknown.output, HasSubstr("the parts are ecp5-85"));
    const TemporaryFolder folder;
    const auto absent =
        run({"/usr/bin/env", "PATH=" + folder.path("nothing"), edge, "serve", "--connect",
             "tcp://127.0.0.1:1", "--runtime", "rtl", "--part", "zynq7020"});
    EXPECT_EQ(absent.code, 3) << absent.output;
    EXPECT_THAT(absent.output, HasSubstr("install the package verilator"));
    if (!has_tool("verilator")) GTEST_SKIP() << "install the package verilator";
    const Words measure{edge,    "measure", "--spec",   spec,      "--runtime",
                        "rtl",   "--part",  "zynq7020", "--cache", folder.path("cache"),
                        "--json"};
    const auto first = run(measure), again = run(measure);
    ASSERT_EQ(first.code, 0) << first.output;
    ASSERT_EQ(again.code, 0) << again.output;
    const Json made = Json::parse(first.output), kept = Json::parse(again.output);
    EXPECT_EQ(made.at("record").at("from_cache"), false);
    EXPECT_EQ(kept.at("record").at("from_cache"), true);
    EXPECT_EQ(made.at("metrics"), kept.at("metrics"));
    EXPECT_THAT(made.at("record").dump(), Not(HasSubstr("measured")));
}

}  // namespace
}  // namespace edgeloop::test
