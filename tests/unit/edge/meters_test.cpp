#include "meters.hpp"

#include "measuring.hpp"
#include "support/made_up_machine.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <chrono>
#include <cmath>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

namespace edgeloop::meters_test {
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
    EnergyMeter meter(files);
    EXPECT_DOUBLE_EQ(meter.joules().value_or(0), 2.5);
}

TEST(EnergyMeter, ACounterThatBeginsAgainIsFollowed) {
    const Machine machine;
    const auto put = [&](int package, const char* file, const std::string& value) {
        machine.put("/sys/class/powercap/intel-rapl:" + std::to_string(package) + "/" + file,
                    value + "\n");
    };
    put(0, "energy_uj", "262100000000");
    put(0, "max_energy_range_uj", "262143328850");
    put(1, "energy_uj", "1000000");
    put(1, "max_energy_range_uj", "262143328850");
    const SystemFiles files = machine.files();
    EnergyMeter meter(files);
    const double first = meter.joules().value_or(0);
    EXPECT_DOUBLE_EQ(first, 262101);
    put(0, "energy_uj", "6671150");
    put(1, "energy_uj", "3000000");
    EXPECT_NEAR(meter.joules().value_or(0) - first, 43.32885 + 6.67115 + 2, 1e-6);
    put(0, "energy_uj", "16671150");
    EXPECT_NEAR(meter.joules().value_or(0) - first, 62, 1e-6) << "once, not each time";
    for (int again = 0; again < 3; ++again) {
        put(0, "energy_uj", "262143000000");
        (void)meter.joules();
        put(0, "energy_uj", "671150");
        (void)meter.joules();
    }
    EXPECT_NEAR(meter.joules().value_or(0) - first, 62 + 3 * 262143.32885 - 16, 1e-3);
}

TEST(EnergyMeter, ACounterOfUnknownRangeThatFallsIsNoPower) {
    const Machine machine;
    const std::string file = "/sys/class/powercap/intel-rapl:0/energy_uj";
    machine.put(file, "5000000\n");
    const SystemFiles files = machine.files();
    EnergyMeter meter(files);
    const double before = meter.joules().value_or(0);
    machine.put(file, "1000000\n");
    EXPECT_FALSE(is_power(meter.joules().value_or(0) - before));
    machine.put(file, "gone\n");
    EXPECT_FALSE(meter.joules());
}

/// Whether a meter of this machine shows more and more energy.
bool integrates(const Machine& machine) {
    const SystemFiles files = machine.files();
    EnergyMeter meter(files);
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
            {}, {}, meters);
        EXPECT_EQ(result.status, Status::completed) << result.reason;
        return result.metrics;
    }

    /// Memory that the process of a job shares: it runs what is counted here.
    class Shared {
      public:
        Shared()
            : place_(::mmap(nullptr, sizeof(double), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
        ~Shared() { ::munmap(place_, sizeof(double)); }
        Shared(const Shared&) = delete;
        Shared& operator=(const Shared&) = delete;
        [[nodiscard]] double& value() const { return *static_cast<double*>(place_); }

      private:
        void* place_;
    };

    Shared shared_;
    double& runs_ = shared_.value();
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

/// What counts `per_second` all the time and 5 more with each run.
Meter with_level(const double& runs, const double& per_second) {
    return {"work",
            [&](const SystemFiles&) {
                return [&] { return std::optional(per_second * steady_seconds() + 5 * runs); };
            },
            1, [](double level) { return level > 0; }, "power_w"};
}

TEST(RunningMeters, WhatIsCountedWithoutTheNetworkIsTakenOff) {
    const Machine machine;
    const SystemFiles files = machine.files();
    double runs = 0, level = 40;
    const RunningMeters meters(files, {with_level(runs, level)});
    const RunningMeters::Readings idle = meters.idle(0.05);
    ASSERT_TRUE(idle.at(0));
    EXPECT_NEAR(*idle[0], 40, 4);
    Metrics metrics;
    Json record = Json::object();
    // 100 runs of 5 in two seconds, beside 80 that would have been counted anyway.
    meters.add_metrics({{1000}, {1000 + 500 + 80}, 2, 100, {40}}, metrics, record);
    EXPECT_DOUBLE_EQ(metrics.at("work"), 5);
    EXPECT_DOUBLE_EQ(record.at("idle_power_w"), 40);
    EXPECT_DOUBLE_EQ(record.at("power_w"), 290);
}

TEST_F(MetersTest, AMeasurementTakesTheLevelOff) {
    // Sleeping runs of 0.2 ms and more: the level alone would add at least a tenth to the 5.
    const double level = 2500;
    const Metrics metrics = measured({with_level(runs_, level)}, {1});
    ASSERT_EQ(metrics.count("work"), 1u);
    EXPECT_NEAR(metrics.at("work"), 5, 0.25);
}

TEST(RunningMeters, WithoutAKnownLevelNothingIsSaid) {
    const Machine machine;
    const SystemFiles files = machine.files();
    double runs = 0, level = 40;
    const RunningMeters meters(files, {with_level(runs, level)});
    for (const std::optional<double> idle :
         {std::optional<double>(), std::optional(-3.0), std::optional(290.0), std::optional(1e6)}) {
        Metrics metrics;
        Json record = Json::object();
        meters.add_metrics({{1000}, {1580}, 2, 100, {idle}}, metrics, record);
        EXPECT_TRUE(metrics.empty()) << idle.value_or(0);
        EXPECT_DOUBLE_EQ(record.at("power_w"), 290);
    }
}

TEST(RunningMeters, NothingWaitsWhereNoneHasALevel) {
    const Machine machine;
    const SystemFiles files = machine.files();
    const RunningMeters none(files, {});
    EXPECT_TRUE(none.idle(1e6).empty());
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
}  // namespace edgeloop::meters_test
