#include "support/made_up_machine.hpp"

#include <gtest/gtest.h>

namespace edgeloop::system_files_test {
namespace {

using Machine = test::MadeUpMachine;

TEST(SystemFiles, WhatAMachineDoesNotTellIsLeftOut) {
    const Machine machine;
    EXPECT_TRUE(machine.files().conditions().empty());
    EXPECT_FALSE(machine.files().machine().contains("cpu"));
}

TEST(SystemFiles, ReadsClocksTemperaturesAndThrottling) {
    const Machine machine;
    machine.put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1800000\n");
    machine.put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
    machine.put("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
    machine.put("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
    machine.put("/sys/class/thermal/thermal_zone0/temp", "54500\n");
    const Json now = machine.files().conditions();
    EXPECT_EQ(now.at("clocks_mhz"), Json::parse("[1800.0]"));
    EXPECT_EQ(now.at("governor"), "performance");
    EXPECT_EQ(now.at("temperatures_c").at("cpu-thermal"), 54.5);
    EXPECT_EQ(now.at("throttle_events"), 3);
}

TEST(SystemFiles, ADeviceClassNamesBoardRuntimeAndGovernor) {
    const Machine machine;
    machine.put("/proc/device-tree/model", std::string("Raspberry Pi 5 Model B") + '\0');
    machine.put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n");
    EXPECT_EQ(default_device_class(machine.files(), {{"name", "libtorch"}, {"version", "2.1.0"}}),
              "raspberry-pi-5-model-b/libtorch-2.1.0/ondemand");
}

TEST(SystemFiles, WhatASensorCannotMeanIsLeftOut) {
    const Machine machine;
    machine.put("/sys/class/thermal/thermal_zone0/type", "gpu-thermal\n");
    machine.put("/sys/class/thermal/thermal_zone0/temp", "-256000\n");
    machine.put("/sys/class/thermal/thermal_zone1/type", "cpu-thermal\n");
    machine.put("/sys/class/thermal/thermal_zone1/temp", "-5000\n");
    machine.put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "0\n");
    const Json now = machine.files().conditions();
    EXPECT_EQ(now.at("temperatures_c"), Json::parse(R"({"cpu-thermal": -5.0})"));
    EXPECT_FALSE(now.contains("clocks_mhz"));
}

}  // namespace
}  // namespace edgeloop::system_files_test
