#include "support/made_up_machine.hpp"

#include <thread>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using Machine = test::MadeUpMachine;

TEST(SystemFiles, WhatAMachineDoesNotTellIsLeftOut) {
    const Machine machine;
    EXPECT_TRUE(machine.files().conditions().empty());
    EXPECT_FALSE(machine.files().machine().contains("cpu"));
    const SystemFiles files = machine.files();
    EXPECT_FALSE(EnergyMeter(files).joules());
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

TEST(SystemFiles, EnergyComesFromThePackagesAlone) {
    const Machine machine;
    machine.put("/sys/class/powercap/intel-rapl:0/energy_uj", "2500000\n");
    machine.put("/sys/class/powercap/intel-rapl:0:0/energy_uj", "99000000\n");
    const SystemFiles files = machine.files();
    const EnergyMeter meter(files);
    ASSERT_TRUE(meter.joules());
    EXPECT_DOUBLE_EQ(*meter.joules(), 2.5);
}

/// Whether a meter of this machine shows more and more energy.
bool integrates(const Machine& machine) {
    const SystemFiles files = machine.files();
    const EnergyMeter meter(files);
    for (int i = 0; i < 500; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        if (meter.joules().value_or(0) > 0) return true;
    }
    return false;
}

TEST(SystemFiles, BoardsThatReportVoltageAndCurrentAreIntegrated) {
    const Machine machine;
    machine.put("/sys/class/hwmon/hwmon1/name", "ina3221\n");
    machine.put("/sys/class/hwmon/hwmon1/in1_input", "5000\n");
    machine.put("/sys/class/hwmon/hwmon1/curr1_input", "2000\n");
    EXPECT_TRUE(integrates(machine));
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
    machine.put("/sys/class/hwmon/hwmon1/name", "ina3221\n");
    machine.put("/sys/class/hwmon/hwmon1/in1_input", "-1\n");
    machine.put("/sys/class/hwmon/hwmon1/curr1_input", "2000\n");
    machine.put("/sys/class/hwmon/hwmon2/name", "ina226\n");
    machine.put("/sys/class/hwmon/hwmon2/power1_input", "-7500000\n");
    const SystemFiles files = machine.files();
    EXPECT_FALSE(EnergyMeter(files).joules());
    EXPECT_FALSE(is_power(0));
    EXPECT_FALSE(is_power(-3));
    EXPECT_TRUE(is_power(7));
}

TEST(SystemFiles, AdaptersAndBatteriesAreNoPowerMeters) {
    const Machine machine;
    machine.put("/sys/class/power_supply/AC/voltage_now", "19000000\n");
    machine.put("/sys/class/power_supply/AC/current_now", "115000\n");
    machine.put("/sys/class/hwmon/hwmon0/name", "AC\n");
    machine.put("/sys/class/hwmon/hwmon0/in1_input", "19000\n");
    machine.put("/sys/class/hwmon/hwmon0/curr1_input", "115\n");
    const SystemFiles files = machine.files();
    EXPECT_FALSE(EnergyMeter(files).joules());
}

void put_rail(const Machine& machine, int channel, const std::string& label, int mv, int ma) {
    const std::string hwmon = "/sys/class/hwmon/hwmon1/", number = std::to_string(channel);
    machine.put(hwmon + "name", "ina3221\n");
    machine.put(hwmon + "in" + number + "_label", label + "\n");
    machine.put(hwmon + "in" + number + "_input", std::to_string(mv) + "\n");
    machine.put(hwmon + "curr" + number + "_input", std::to_string(ma) + "\n");
}

TEST(SystemFiles, RailsSideBySideAreAddedAndPartsOfTheSupplyAreNot) {
    const Machine orin;  // AGX: no channel is the whole supply
    put_rail(orin, 1, "VDD_GPU_SOC", 19000, 115);
    put_rail(orin, 2, "VDD_CPU_CV", 19000, 400);
    put_rail(orin, 3, "VIN_SYS_5V0", 5000, 1000);
    EXPECT_DOUBLE_EQ(board_watts(orin.files()).value_or(0), 2.185 + 7.6 + 5);
    const Machine nano;
    put_rail(nano, 1, "POM_5V_IN", 5000, 600);
    put_rail(nano, 2, "POM_5V_GPU", 5000, 100);
    put_rail(nano, 3, "POM_5V_CPU", 5000, 200);
    EXPECT_DOUBLE_EQ(board_watts(nano.files()).value_or(0), 3);
}

TEST(SystemFiles, BoardsThatReportPowerAreIntegrated) {
    const Machine machine;
    machine.put("/sys/class/hwmon/hwmon0/name", "coretemp\n");
    machine.put("/sys/class/hwmon/hwmon1/name", "ina226\n");
    machine.put("/sys/class/hwmon/hwmon1/power1_input", "7500000\n");
    EXPECT_TRUE(integrates(machine));
}

}  // namespace
}  // namespace edgeloop
