#include "meters.hpp"

#include "measuring_child.hpp"
#include "support/made_up_machine.hpp"

#include "edgeloop/evaluation/metrics.hpp"

#include <chrono>
#include <cmath>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using Machine = test::MadeUpMachine;
using ::testing::Contains;
using ::testing::Not;

TEST(EnergyMeter, AMachineWithoutAnyTellsNothing) {
    const Machine machine;
    const SystemFiles files = machine.files();
    EXPECT_FALSE(EnergyMeter(files).joules());
}

TEST(EnergyMeter, EnergyComesFromThePackagesAlone) {
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

TEST(EnergyMeter, BoardsThatReportVoltageAndCurrentAreIntegrated) {
    const Machine machine;
    machine.put("/sys/class/hwmon/hwmon1/name", "ina3221\n");
    machine.put("/sys/class/hwmon/hwmon1/in1_input", "5000\n");
    machine.put("/sys/class/hwmon/hwmon1/curr1_input", "2000\n");
    EXPECT_TRUE(integrates(machine));
}

TEST(EnergyMeter, WhatASensorCannotMeanIsNoPower) {
    const Machine machine;
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

TEST(EnergyMeter, AdaptersAndBatteriesAreNoPowerMeters) {
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

TEST(EnergyMeter, RailsSideBySideAreAddedAndPartsOfTheSupplyAreNot) {
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

TEST(EnergyMeter, BoardsThatReportPowerAreIntegrated) {
    const Machine machine;
    machine.put("/sys/class/hwmon/hwmon0/name", "coretemp\n");
    machine.put("/sys/class/hwmon/hwmon1/name", "ina226\n");
    machine.put("/sys/class/hwmon/hwmon1/power1_input", "7500000\n");
    EXPECT_TRUE(integrates(machine));
}

/// A network that counts its inferences.
class Counted final : public Runtime {
  public:
    explicit Counted(double& runs) : runs_(runs) {}
    void prepare(int) override {}
    void run() override {
        ++runs_;
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    [[nodiscard]] Metrics facts() const override { return {}; }

  private:
    double& runs_;
};

class MetersTest : public testing::Test {
  protected:
    /// Of the table the one that reads nothing but files.
    [[nodiscard]] static std::vector<Meter> energy() {
        for (const Meter& meter : all_meters())
            if (meter.metric == "energy_mj") return {meter};
        return {};
    }
    /// And a second one, of 3 misses an inference in units of a thousandth.
    [[nodiscard]] std::vector<Meter> with_misses() const {
        std::vector<Meter> meters = energy();
        meters.push_back({"cache_misses",
                          [this](const SystemFiles&) { return [this] { return misses(); }; }, 1e-3,
                          [](double per_second) { return std::isfinite(per_second); }});
        return meters;
    }
    [[nodiscard]] std::optional<double> misses() const {
        if (broken_) return std::nullopt;
        return 7 + 3000 * runs_;
    }
    /// What a machine with these meters and no other says that it delivers.
    [[nodiscard]] static std::vector<std::string> delivered(const Machine& machine,
                                                            const std::vector<Meter>& meters) {
        return deliverables(machine.files(), Json::object(), meters).at("metrics");
    }
    [[nodiscard]] Metrics measured(const std::vector<Meter>& meters, std::vector<int> batches) {
        MeasurementSettings settings;
        settings.time_budget_s = 0.1;
        settings.batches = std::move(batches);
        const MeasurementResult result = measure(
            make_job(Json::object(), settings, ""),
            [this](const Json&, const MeasurementSettings&) {
                return std::make_unique<Counted>(runs_);
            },
            {}, meters);
        EXPECT_EQ(result.status, Status::completed) << result.reason;
        return result.metrics;
    }

    double runs_ = 0;
    bool broken_ = false;
};

TEST_F(MetersTest, EachThatStartsIsDelivered) {
    const Machine machine;
    const std::vector<std::string> without = metric_names(Source::measuring, Needs::samples);
    EXPECT_EQ(delivered(machine, energy()), without);
    std::vector<std::string> with = without;
    with.emplace_back("cache_misses");
    EXPECT_EQ(delivered(machine, with_misses()), with);
    machine.put("/sys/class/powercap/intel-rapl:0/energy_uj", "2500000\n");
    with = without;
    with.emplace_back("energy_mj");
    EXPECT_EQ(delivered(machine, energy()), with);
    with.emplace_back("cache_misses");
    EXPECT_EQ(delivered(machine, with_misses()), with);
}

TEST_F(MetersTest, OneThatDoesNotStartIsNotDelivered) {
    std::vector<Meter> meters = with_misses();
    meters.back().start = [](const SystemFiles&) { return MeterReading(); };
    EXPECT_THAT(delivered(Machine(), meters), Not(Contains("cache_misses")));
    EXPECT_EQ(measured(meters, {1}).count("cache_misses"), 0u);
}

TEST_F(MetersTest, AResultSaysWhatOneInferenceTook) {
    const Metrics metrics = measured(with_misses(), {1});
    ASSERT_EQ(metrics.count("cache_misses"), 1u);
    EXPECT_NEAR(metrics.at("cache_misses"), 3, 1e-9);
}

TEST_F(MetersTest, OtherBatchSizesAreNotMetered) {
    EXPECT_EQ(measured(with_misses(), {2}).count("cache_misses"), 0u);
}

TEST_F(MetersTest, WhatCannotBeReadOrCannotBeIsLeftOut) {
    std::vector<Meter> meters = with_misses();
    meters.back().is_plausible = [](double) { return false; };
    EXPECT_EQ(measured(meters, {1}).count("cache_misses"), 0u);
    broken_ = true;
    EXPECT_EQ(measured(with_misses(), {1}).count("cache_misses"), 0u);
}

TEST(Meters, EachIsAMetricThatDevicesWithAMeterDeliver) {
    ASSERT_FALSE(all_meters().empty());
    for (const Meter& meter : all_meters()) {
        const Metric* metric = find_metric(meter.metric);
        ASSERT_NE(metric, nullptr) << meter.metric;
        EXPECT_EQ(metric->source, Source::measuring) << meter.metric;
        EXPECT_EQ(metric->needs, Needs::meter) << meter.metric;
    }
}

}  // namespace
}  // namespace edgeloop
