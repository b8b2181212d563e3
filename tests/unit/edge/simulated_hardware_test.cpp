// Jobs of the runtime rtl. The tools are scripts that pretend, but where a test says otherwise.
#include "simulated_hardware.hpp"

#include "support/places.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/accelerator/tools.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::simulated_hardware_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Json small_network() { return read_json_file(test::test_data("specs/cnn3d_rtl.json")); }

/// Programs of the names of tools, first in PATH as long as this is there.
class PretendedTools {
  public:
    PretendedTools() : path_(std::getenv("PATH")) {
        fs::create_directories(root_.path("bin"));
        ::setenv("PATH", (root_.path("bin") + ":" + path_).c_str(), 1);
    }
    ~PretendedTools() { ::setenv("PATH", path_.c_str(), 1); }
    PretendedTools(const PretendedTools&) = delete;
    PretendedTools& operator=(const PretendedTools&) = delete;

    void add(const std::string& name, const std::string& script) const {
        write_file_atomic(root_.path("bin/" + name), "#!/bin/sh\n" + script);
        fs::permissions(root_.path("bin/" + name),
                        fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                            fs::perms::others_read | fs::perms::others_exec);
    }
    /// No other programs than these.
    void alone() const { ::setenv("PATH", root_.path("bin").c_str(), 1); }

    /// A Verilator whose simulations say that clips end in cycle 10, 20, ... and are answered 7
    /// cycles later.
    void add_verilator(const std::string& verdict = "PASSED: 4 clips") const {
        std::string said;
        for (int clip = 0; clip < 4; ++clip)
            for (const auto& [what, cycle] : {std::pair("first pixel", 10 * clip + 1),
                                              {"last pixel", 10 * clip + 10},
                                              {"answer ff", 10 * clip + 17}})
                said += "clip " + std::to_string(clip) + ": " + what + " at cycle " +
                        std::to_string(cycle) + "\\n";
        add("verilator",
            "if [ \"$1\" = --version ]; then echo Verilator 5.006 pretended; exit; fi\n"
            "mkdir -p obj_dir\n"
            "printf '#!/bin/sh\\nprintf \"" +
                said + verdict +
                "\\\\n\"\\n' > obj_dir/Vtestbench\n"
                "chmod +x obj_dir/Vtestbench\n");
    }

  private:
    test::TemporaryFolder root_;
    std::string path_;
};

class SimulatedHardware : public testing::Test {
  protected:
    [[nodiscard]] MeasurementResult answer(const Json& spec,
                                           MeasurementSettings settings = {}) const {
        settings.runtime = simulated_runtime;
        if (settings.part.empty() && own_part.empty()) settings.part = "zynq7020";
        MeasuringLimits limits;
        limits.time_limit_s = time_limit_s;
        limits.simulation = {own_part, root.path("cache"), root.path("work")};
        fs::create_directories(root.path("work"));
        const MeasurementResult result = answer_by_simulation(make_job(spec, settings, ""), limits);
        EXPECT_TRUE(fs::is_empty(root.path("work"))) << "something is left of the job";
        EXPECT_EQ(result.reason.find('\n'), std::string::npos);
        return result;
    }
    [[nodiscard]] std::string refusal(const Json& spec, MeasurementSettings settings = {},
                                      FailureOf whose = FailureOf::network) const {
        const MeasurementResult result = answer(spec, std::move(settings));
        EXPECT_EQ(result.status, Status::failed);
        EXPECT_EQ(result.failure_of, whose) << result.reason;
        EXPECT_TRUE(result.metrics.empty());
        return result.reason;
    }

    test::TemporaryFolder root;
    std::string own_part;
    double time_limit_s = 120;
};

TEST_F(SimulatedHardware, SaysEachFigureAndWhereItIsFrom) {
    const PretendedTools tools;
    tools.add_verilator();
    const MeasurementResult result = answer(small_network());
    ASSERT_EQ(result.status, Status::completed) << result.reason;
    EXPECT_DOUBLE_EQ(result.metrics.at("cycles"), 7);
    EXPECT_DOUBLE_EQ(result.metrics.at("latency_us"), 7 / 200.0);
    EXPECT_DOUBLE_EQ(result.metrics.at("initiation_interval"), 10);
    EXPECT_DOUBLE_EQ(result.metrics.at("clock_mhz"), 200);
    for (const char* name : {"lut", "ff"}) EXPECT_GT(result.metrics.at(name), 10) << name;
    for (const char* name : {"bram", "dsp"}) EXPECT_GE(result.metrics.at(name), 0) << name;
    for (const char* name : {"latency_is_simulated", "clock_is_assumed", "resources_are_estimated"})
        EXPECT_EQ(result.metrics.at(name), 1) << name;
    EXPECT_EQ(result.metrics.count("latency_ms"), 0u);
    EXPECT_TRUE(is_lasting(result));
    const Json record = Json::parse(result.record);
    EXPECT_EQ(record.at("part"), "zynq7020");
    EXPECT_EQ(record.at("cycles_origin"), "simulated");
    EXPECT_EQ(record.at("clock_origin"), "assumed");
    EXPECT_EQ(record.at("resources_origin"), "estimated");
    EXPECT_EQ(record.at("outputs_equal"), true);
    EXPECT_EQ(record.at("from_cache"), false);
    EXPECT_EQ(record.at("hardware").at("cycles"), 2000);
    EXPECT_THAT(record.at("tools"), HasSubstr("Verilator 5.006"));
    EXPECT_THAT(result.record, Not(HasSubstr("measured")));
}

TEST_F(SimulatedHardware, TheRealToolsAgreeWithTheFormula) {
    if (const std::string problem = accelerator::simulation_problem(); !problem.empty())
        GTEST_SKIP() << problem;
    const MeasurementResult result = answer(small_network());
    ASSERT_EQ(result.status, Status::completed) << result.reason;
    const accelerator::Circuit circuit = accelerator::untrained_circuit_of(
        ArchitectureSpec::from_json(small_network(), "test"), accelerator::part_named("zynq7020"));
    EXPECT_EQ(result.metrics.at("cycles"), timing_of(circuit).latency);
    EXPECT_EQ(result.metrics.at("initiation_interval"), timing_of(circuit).interval);
    EXPECT_EQ(result.metrics.at("lut"), estimated_resources(circuit).lut);
}

TEST_F(SimulatedHardware, CountsByYosysWhenAsked) {
    for (const std::string& problem :
         {accelerator::simulation_problem(), accelerator::synthesis_problem()})
        if (!problem.empty()) GTEST_SKIP() << problem;
    MeasurementSettings settings;
    settings.resources = "synthesised";
    const MeasurementResult result = answer(small_network(), settings);
    ASSERT_EQ(result.status, Status::completed) << result.reason;
    EXPECT_EQ(result.metrics.at("resources_are_estimated"), 0);
    EXPECT_EQ(Json::parse(result.record).at("resources_origin"), "synthesised");
}

TEST_F(SimulatedHardware, TheSameCircuitIsSimulatedOnce) {
    const PretendedTools tools;
    tools.add_verilator();
    const auto from_cache = [&](const Json& spec, const MeasurementSettings& settings = {}) {
        const MeasurementResult result = answer(spec, settings);
        EXPECT_EQ(result.status, Status::completed) << result.reason;
        EXPECT_EQ(result.metrics.at("cycles"), 7);
        return Json::parse(result.record).at("from_cache").get<bool>();
    };
    EXPECT_FALSE(from_cache(small_network()));
    EXPECT_TRUE(from_cache(small_network()));
    Json trained_otherwise = small_network();
    trained_otherwise["architecture"]["dropout"] = 0.25;
    EXPECT_TRUE(from_cache(trained_otherwise)) << "it is the same circuit";
    Json faster = small_network();
    faster["hardware"]["cycles"] = 100;
    EXPECT_FALSE(from_cache(faster));
    MeasurementSettings settings;
    settings.part = "ecp5-85";
    EXPECT_FALSE(from_cache(small_network(), settings));

    for (const auto& entry : fs::directory_iterator(root.path("cache"))) {
        std::string bytes = read_file(entry.path().string());
        bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 64);
        write_file_atomic(entry.path().string(), bytes);
    }
    EXPECT_FALSE(from_cache(small_network())) << "it was damaged";
    EXPECT_TRUE(from_cache(small_network()));
}

TEST_F(SimulatedHardware, AnotherVersionOfAToolIsAskedAgain) {
    const PretendedTools tools;
    tools.add_verilator();
    ASSERT_EQ(answer(small_network()).status, Status::completed);
    tools.add("verilator", "echo Verilator 5.099\n");
    EXPECT_THAT(refusal(small_network(), {}, FailureOf::device),
                HasSubstr("the simulation failed"));
}

TEST_F(SimulatedHardware, AnAnswerThatDiffersIsAFailure) {
    const PretendedTools tools;
    tools.add_verilator("clip 2: DIFFERENT, expected fe\\nFAILED: 1 of 4 clips");
    EXPECT_THAT(refusal(small_network(), {}, FailureOf::device),
                AllOf(HasSubstr("does not answer as the integer reference"),
                      HasSubstr("clip 2: DIFFERENT")));
    EXPECT_TRUE(fs::is_empty(root.path("cache"))) << "it is nothing to answer from";
}

TEST_F(SimulatedHardware, WhatHasNoCircuitIsRefusedInALine) {
    const PretendedTools tools;
    tools.add_verilator();
    Json floats = small_network();
    floats.erase("quantisation");
    EXPECT_THAT(refusal(floats), AllOf(HasSubstr("has no circuit"), HasSubstr("32 bits"),
                                       HasSubstr("quantise all layers")));
    Json normed = floats;
    normed["architecture"]["norm"] = "group";
    EXPECT_THAT(refusal(normed),
                AllOf(HasSubstr("has no circuit"), HasSubstr("use the norm affine or none")));
    normed["quantisation"] = small_network().at("quantisation");
    EXPECT_THAT(refusal(normed), HasSubstr("affine, frozen or none, not group"));
    Json large = small_network();
    large["architecture"]["stages"][1]["channels"] = 128;
    large["hardware"]["cycles"] = 1;
    EXPECT_THAT(refusal(large), AllOf(HasSubstr("does not fit AMD Zynq-7020"), HasSubstr("LUTs"),
                                      HasSubstr("use more hardware cycles")));
    const Json swin = {{"family", "swin3d"},
                       {"architecture", {{"embed_dim", 6}, {"depths", {1}}, {"heads", {3}}}},
                       {"clip", {{"frames", 4}, {"side", 8}}}};
    EXPECT_THAT(refusal(swin), HasSubstr("use the family cnn3d"));
}

TEST_F(SimulatedHardware, WhatIsNotSimulatedHereIsRefusedInALine) {
    const auto refused = [&](const MeasurementSettings& settings) {
        return refusal(small_network(), settings, FailureOf::device);
    };
    MeasurementSettings settings;
    settings.part = "zynq9999";
    EXPECT_THAT(refused(settings), AllOf(HasSubstr("there is no part 'zynq9999'"),
                                         HasSubstr("ecp5-85, ice40-hx8k, zu3eg, zynq7020")));
    settings.part = "zynq7020";
    settings.clock = "placed";
    EXPECT_THAT(refused(settings), HasSubstr("no free place and route for AMD Zynq-7020"));
    settings.clock = "assumed";
    settings.weights = "best.safetensors";
    EXPECT_THAT(refused(settings), HasSubstr("edgeloop-model export"));
    settings.weights = "";
    own_part = "ecp5-85";
    EXPECT_THAT(refused(settings), HasSubstr("this device is simulated hardware of ecp5-85"));
}

TEST_F(SimulatedHardware, ToolsThatAreAbsentOrTooOldAreNamedWithTheirPackages) {
    const PretendedTools tools;
    tools.add("verilator", "echo Verilator 4.038\n");
    EXPECT_THAT(refusal(small_network(), {}, FailureOf::device),
                AllOf(HasSubstr("too old"), HasSubstr("5.006"), HasSubstr("package verilator")));
    EXPECT_THAT(simulated_hardware("").at("problem"), HasSubstr("too old"));
    tools.alone();
    tools.add_verilator();
    EXPECT_THAT(refusal(small_network(), {}, FailureOf::device),
                HasSubstr("install the package g++"));
}

TEST_F(SimulatedHardware, ASimulationEndsAtItsLimits) {
    const PretendedTools tools;
    tools.add("verilator",
              "if [ \"$1\" = --version ]; then echo Verilator 5.006; exit; fi\nsleep 60\n");
    time_limit_s = 2;
    const MeasurementResult result = answer(small_network());
    EXPECT_EQ(result.status, Status::failed);
    EXPECT_EQ(result.failure_of, FailureOf::device);
    EXPECT_THAT(result.reason, HasSubstr("took longer than its limit"));
    EXPECT_LT(result.seconds, 20);
}

// Whoever submits a job writes its spec. Nothing of its text gets into Verilog or a shell.
TEST_F(SimulatedHardware, ASpecCannotSayAnythingToTools) {
    const PretendedTools tools;
    tools.add_verilator();
    const std::string marker = root.path("marker");
    const std::string said = "x`\"; endmodule $(touch " + marker + "); `touch " + marker +
                             "` $system(\"touch " + marker + "\")";
    const std::vector<const char*> places{"/family",
                                          "/architecture/norm",
                                          "/architecture/reduce",
                                          "/architecture/stages/0/channels",
                                          "/architecture/stages/0/kernel/0",
                                          "/clip/frames",
                                          "/quantisation/quantiser",
                                          "/quantisation/last/weights",
                                          "/hardware/cycles",
                                          "/hardware/weights",
                                          "/hardware/multipliers",
                                          "/name",
                                          "/hardware/name",
                                          "/architecture/stages/0/name"};
    for (const char* place : places) {
        Json hostile = small_network();
        hostile[Json::json_pointer(place)] = said;
        EXPECT_FALSE(refusal(hostile).empty()) << place;
    }
    for (const char* key : {"family", "hardware"}) {
        Json hostile = small_network();
        hostile[key + said] = 1;
        EXPECT_FALSE(refusal(hostile).empty()) << key;
    }
    EXPECT_FALSE(fs::exists(marker));
    EXPECT_THROW((void)MeasurementSettings::from_json({{"part", "../" + said}}, "job"),
                 ConfigError);
    EXPECT_THROW((void)MeasurementSettings::from_json({{"part", "/etc/passwd"}}, "job"),
                 ConfigError);
}

// A part's file says which commands yosys is given: jobs name parts, never files.
TEST_F(SimulatedHardware, APartIsNeverAFile) {
    const std::string here = fs::current_path();
    fs::current_path(root.root());
    write_file_atomic("mine", "{}");
    MeasurementSettings settings;
    settings.part = "mine";
    EXPECT_THAT(refusal(small_network(), settings, FailureOf::device),
                HasSubstr("there is no part 'mine'"));
    fs::current_path(here);
}

TEST_F(SimulatedHardware, WhatADeviceDeliversIsComparedWithWhatIsAsked) {
    const PretendedTools tools;
    tools.add_verilator();
    const Json record = {{"delivers",
                          {{"runtimes", {"native", "rtl"}},
                           {"processors", {"cpu"}},
                           {"metrics", {"latency_ms"}},
                           {"rtl", simulated_hardware("zynq7020")}}}};
    MeasurementSettings settings;
    settings.runtime = simulated_runtime;
    settings.part = "zynq7020";
    EXPECT_EQ(lacking(record.dump(), settings, {"latency_us", "lut"}), std::nullopt);
    EXPECT_THAT(*lacking(record.dump(), settings, {"latency_ms"}), HasSubstr("no latency_ms"));
    settings.part = "ecp5-85";
    EXPECT_THAT(*lacking(record.dump(), settings, {}), HasSubstr("no part 'ecp5-85'"));
    const Json without = {
        {"delivers",
         {{"runtimes", {"native"}}, {"rtl", {{"problem", "verilator is not installed"}}}}}};
    EXPECT_THAT(*lacking(without.dump(), settings, {}),
                HasSubstr("no runtime 'rtl' (verilator is not installed)"));
    settings.runtime = "native";
    settings.part = "";
    EXPECT_THAT(*lacking(record.dump(), settings, {"latency_us"}), HasSubstr("no latency_us"));
}

}  // namespace
}  // namespace edgeloop::simulated_hardware_test
