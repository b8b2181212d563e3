#include "apps/measuring_classes.hpp"

#include "apps/search_config.hpp"

#include "edgeloop/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::apps::measuring_classes_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SearchConfig config_of(std::vector<const char*> words) {
    words.insert(words.begin(), {"edgeloop-search", "--run-dir", "r", "--data", "d"});
    SearchConfig config;
    EXPECT_TRUE(parse_search_config(static_cast<int>(words.size()), words.data(), config));
    return config;
}

std::string refusal(const std::vector<const char*>& words) {
    try {
        (void)config_of(words);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(MeasuringClasses, ARunThatNamesNoneHasOneWithoutAName) {
    const SearchConfig any = config_of({});
    EXPECT_THAT(names_of(any.classes), ElementsAre(""));
    EXPECT_EQ(any.classes.at("").device_class, "");
    EXPECT_THAT(any.text, HasSubstr("\ndevice-class =\n"));
    // A class of a device may have any name there, as its agent gives it by default.
    const SearchConfig one =
        config_of({"--device-class", "Raspberry Pi 4: 8 GB", "--measure-threads", "3",
                   "--constraint", "latency_p99_ms<=2"});
    EXPECT_THAT(names_of(one.classes), ElementsAre(""));
    EXPECT_EQ(one.classes.at("").device_class, "Raspberry Pi 4: 8 GB");
    EXPECT_EQ(one.classes.at("").settings.threads, 3);
    EXPECT_EQ(one.classes.at("").settings.min_samples, p99_samples);
    EXPECT_THAT(one.text, HasSubstr("\ndevice-class = Raspberry Pi 4: 8 GB\n"));
}

TEST(MeasuringClasses, GoalsNameThemAndEachHasItsOwnSettings) {
    const SearchConfig config = config_of(
        {"--objectives", "val_rmse", "latency_ms@board", "latency_ms@arm/pi-4", "--constraint",
         "latency_p99_ms@third<=1", "--measure-threads", "3", "--device-class",
         "board:seconds=2.5,runtime=native,threads=2,camera-height=64", "third"});
    EXPECT_THAT(names_of(config.classes), ElementsAre("arm/pi-4", "board", "third"));
    const MeasurementSettings& board = config.classes.at("board").settings;
    EXPECT_EQ(config.classes.at("board").device_class, "board");
    EXPECT_EQ(board.time_budget_s, 2.5);
    EXPECT_EQ(board.runtime, "native");
    EXPECT_EQ(board.threads, 2);
    EXPECT_EQ(board.frame_height, 64);
    EXPECT_EQ(board.frame_width, MeasurementSettings().frame_width);
    EXPECT_EQ(board.min_samples, MeasurementSettings().min_samples);
    const MeasurementSettings& pi = config.classes.at("arm/pi-4").settings;
    EXPECT_EQ(pi.threads, 3);
    EXPECT_EQ(pi.runtime, "eager");
    EXPECT_EQ(config.classes.at("third").settings.min_samples, p99_samples);
}

TEST(MeasuringClasses, SeveralWithoutGoalsAreAllAskedForTheirLatency) {
    const SearchConfig config = config_of({"--device-class", "board", "pi:threads=2"});
    EXPECT_THAT(names_of(config.classes), ElementsAre("board", "pi"));
    EXPECT_EQ(config.classes.at("pi").settings.threads, 2);
}

TEST(MeasuringClasses, WhatMakesNoSenseIsRefused) {
    const auto with = [](std::vector<const char*> words) {
        words.insert(words.begin(), {"--objectives", "val_rmse", "latency_ms@board"});
        return refusal(words);
    };
    EXPECT_EQ(with({}), "accepted");
    EXPECT_THAT(with({"--device-class", "pi"}),
                HasSubstr("--device-class pi: nothing is wanted of it"));
    EXPECT_THAT(with({"--device-class", "board", "board:threads=2"}), HasSubstr("given twice"));
    EXPECT_THAT(with({"--device-class", "board:thread=2"}), HasSubstr("unknown setting 'thread'"));
    EXPECT_THAT(with({"--device-class", "board:threads=two"}), HasSubstr("has no number"));
    EXPECT_THAT(with({"--device-class", "board:threads"}), HasSubstr("has no number"));
    EXPECT_THAT(with({"--device-class", "board:threads=0"}),
                HasSubstr("--device-class board: 'threads' must be"));
    EXPECT_THAT(with({"--device-class", "board:runtime=magic"}),
                HasSubstr("--device-class board: 'runtime' must be"));
    EXPECT_THAT(with({"--edge", "model"}), HasSubstr("--edge model knows no classes of devices"));
    EXPECT_THAT(with({"--edge", "none"}), HasSubstr("--edge none knows no classes of devices"));
    EXPECT_THAT(refusal({"--objectives", "val_rmse", "latency_ms@a b"}),
                HasSubstr("names no class of devices"));
    EXPECT_THAT(refusal({"--device-class", "board:threads=2"}),
                HasSubstr("write latency_ms@board"));
}

TEST(MeasuringClasses, SimulatedHardwareIsOfAPart) {
    const SearchConfig config = config_of(
        {"--objectives", "val_rmse", "latency_ms@cpu", "latency_us@rtl-zynq7020", "--constraint",
         "lut@fabric<=20000", "--measure-part", "zu3eg", "--device-class", "cpu:runtime=native",
         "rtl-zynq7020:runtime=rtl,part=zynq7020", "fabric:runtime=rtl,resources=synthesised"});
    EXPECT_EQ(config.classes.at("rtl-zynq7020").settings.part, "zynq7020");
    EXPECT_EQ(config.classes.at("fabric").settings.part, "zu3eg");
    EXPECT_EQ(config.classes.at("fabric").settings.resources, "synthesised");
    EXPECT_EQ(config.classes.at("cpu").settings.part, "") << "it is timed";
    const SearchConfig named =
        config_of({"--device-class", "cpu:runtime=native", "rtl-zynq7020:runtime=rtl"});
    EXPECT_EQ(named.classes.at("rtl-zynq7020").settings.part, "zynq7020");
    EXPECT_THAT(usual_objectives(named.classes),
                ElementsAre("val_rmse", "latency_ms@cpu", "latency_us@rtl-zynq7020"));
    EXPECT_THAT(usual_objectives(config_of({"--device-class", "a", "b"}).classes), ElementsAre());
    const SearchConfig alone = config_of({"--objectives", "val_rmse", "latency_us",
                                          "--measure-runtime", "rtl", "--measure-part", "zu3eg"});
    EXPECT_EQ(alone.classes.at("").settings.part, "zu3eg");
}

TEST(MeasuringClasses, WhatIsNoSimulatedHardwareIsRefused) {
    const auto with = [](const char* metric, std::vector<const char*> words) {
        words.insert(words.begin(), {"--objectives", "val_rmse", metric, "--device-class"});
        return refusal(words);
    };
    EXPECT_EQ(with("latency_us@a", {"a:runtime=rtl,part=zynq7020"}), "accepted");
    EXPECT_THAT(with("latency_us@a", {"a:runtime=rtl"}),
                HasSubstr("no part is named (a circuit is made for a part); write "
                          "a:runtime=rtl,part=PART; the parts are ecp5-85, ice40-hx8k, zu3eg, "
                          "zynq7020"));
    EXPECT_THAT(with("latency_us@a", {"a:runtime=rtl,part=zynq9999"}),
                HasSubstr("there is no part 'zynq9999'; the parts are ecp5-85"));
    EXPECT_THAT(with("latency_us@a", {"a:runtime=rtl,part=../x"}),
                HasSubstr("'part' must be the name of a gate array"));
    EXPECT_THAT(with("latency_us@a", {"a:runtime=rtl,part=zynq7020,clock=placed"}),
                HasSubstr("there is no free place and route for AMD Zynq-7020"));
    EXPECT_THAT(with("latency_ms@a", {"a:runtime=rtl,part=zynq7020"}),
                HasSubstr("'latency_ms@a' is timed, and the runtime rtl simulates; write "
                          "latency_us@a"));
    EXPECT_THAT(with("latency_us@a", {"a:runtime=native"}),
                HasSubstr("'latency_us@a' is of simulated hardware, and the runtime is native"));
    EXPECT_THAT(refusal({"--constraint", "lut<=100"}), HasSubstr("--measure-runtime rtl"));
    EXPECT_THAT(refusal({"--device-class", "a:runtime=rtl,part=zynq7020"}),
                HasSubstr("write latency_us@a"));
}

}  // namespace
}  // namespace edgeloop::apps::measuring_classes_test
