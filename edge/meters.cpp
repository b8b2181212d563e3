#include "meters.hpp"

#include "system_files.hpp"

#include "edgeloop/core/clock.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include <fmt/format.h>

namespace edgeloop {
namespace {

MeterReading start_energy(const SystemFiles& files) {
    const auto meter = std::make_shared<EnergyMeter>(files);
    if (!meter->joules()) return {};
    return [meter] { return meter->joules(); };
}

}  // namespace

const std::vector<Meter>& all_meters() {
    static const std::vector<Meter> all{{"energy_mj", start_energy, 1e3, is_power, "power_w"}};
    return all;
}

RunningMeters::RunningMeters(const SystemFiles& files, const std::vector<Meter>& meters) {
    for (const Meter& meter : meters)
        if (MeterReading read = meter.start(files)) running_.push_back({meter, std::move(read)});
}

std::vector<std::string> RunningMeters::names() const {
    std::vector<std::string> names;
    for (const Running& each : running_) names.push_back(each.meter.metric);
    return names;
}

RunningMeters::Readings RunningMeters::read() const {
    Readings readings;
    for (const Running& each : running_) readings.push_back(each.read());
    return readings;
}

RunningMeters::Readings RunningMeters::idle(double seconds) const {
    Readings levels(running_.size());
    const auto has_level = [](const Running& each) { return !each.meter.level.empty(); };
    if (std::none_of(running_.begin(), running_.end(), has_level)) return levels;
    const Readings before = read();
    const double start = steady_seconds();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    const Readings after = read();
    const double passed_s = steady_seconds() - start;
    for (std::size_t i = 0; i < running_.size(); ++i)
        if (has_level(running_[i]) && before[i] && after[i])
            levels[i] = (*after[i] - *before[i]) / passed_s;
    return levels;
}

void RunningMeters::add_metrics(const Metered& metered, Metrics& metrics, Json& record) const {
    for (std::size_t i = 0; i < running_.size(); ++i) {
        if (!metered.before[i] || !metered.after[i]) continue;
        const Meter& meter = running_[i].meter;
        double per_second = (*metered.after[i] - *metered.before[i]) / metered.seconds;
        if (!meter.is_plausible(per_second)) continue;
        if (!meter.level.empty()) {
            record[meter.level] = per_second;
            // A counter that stood still or ran over meanwhile says nothing about the level.
            if (!metered.idle[i] || !meter.is_plausible(*metered.idle[i])) continue;
            record["idle_" + meter.level] = *metered.idle[i];
            per_second -= *metered.idle[i];
            if (!meter.is_plausible(per_second)) continue;
        }
        metrics[meter.metric] = per_second * metered.seconds / metered.runs * meter.scale;
    }
}

namespace {

// Drivers report values that cannot be when a sensor is off or not there.
constexpr double min_volt = 0.5, max_volt = 80;  ///< of a supply that powers a board
constexpr double max_watt = 5000;
constexpr int max_channels = 3;  ///< of an INA3221; further files of it are sums of shunt voltages

/// Present power of one channel of a sensor, or nothing where it reports none that can be.
std::optional<double> channel_watts(const SystemFiles& files, const std::string& sensor,
                                    int channel) {
    const auto read = [&](const char* kind) {
        return files.number(fmt::format("{}/{}{}_input", sensor, kind, channel));
    };
    const auto plausible = [](double watts) -> std::optional<double> {
        return watts >= 0 && watts <= max_watt ? std::optional(watts) : std::nullopt;
    };
    if (const auto microwatts = read("power")) return plausible(*microwatts * 1e-6);
    const auto mv = read("in"), ma = read("curr");
    if (!mv || !ma || *mv < min_volt * 1e3 || *mv > max_volt * 1e3) return std::nullopt;
    return plausible(*mv * *ma * 1e-6);
}

/// Whether a channel is the supply of the whole board, of which the others are parts.
bool is_whole_supply(const std::string& label) {
    return label == "VDD_IN" || label == "POM_5V_IN" || label == "VIN";
}

/// Present power of a sensor: of the channel that is the whole board's supply, where a label says
/// which (Jetson Nano, Xavier NX, Orin Nano), else of all together (the rails of AGX Orin hang on
/// its 19 V side by side).
std::optional<double> watts_of(const SystemFiles& files, const std::string& sensor) {
    std::optional<double> sum;
    for (int channel = 1; channel <= max_channels; ++channel) {
        const auto watts = channel_watts(files, sensor, channel);
        if (!watts) continue;
        const auto label = files.line(fmt::format("{}/in{}_label", sensor, channel));
        if (is_whole_supply(label.value_or(""))) return watts;
        sum = sum.value_or(0) + *watts;
    }
    return sum;
}

/// Whether the sensor measures the whole board's supply.
bool has_whole_supply(const SystemFiles& files, const std::string& sensor) {
    for (int channel = 1; channel <= max_channels; ++channel)
        if (is_whole_supply(files.line(fmt::format("{}/in{}_label", sensor, channel)).value_or("")))
            return true;
    return false;
}

/// TI's power monitors (ina219, ina226, ina3221 ...) that power can be read from.
std::vector<std::string> power_monitors(const SystemFiles& files) {
    std::vector<std::string> sensors;
    for (const std::string& sensor : files.entries("/sys/class/hwmon", "hwmon"))
        if (files.line(sensor + "/name").value_or("").rfind("ina", 0) == 0 &&
            watts_of(files, sensor))
            sensors.push_back(sensor);
    const auto whole = std::find_if(sensors.begin(), sensors.end(), [&](const auto& sensor) {
        return has_whole_supply(files, sensor);
    });
    if (whole != sensors.end()) return {*whole};  // other monitors see parts of it
    return sensors;
}

double sum_of_watts(const SystemFiles& files, const std::vector<std::string>& sensors) {
    double watts = 0;
    for (const std::string& sensor : sensors) watts += watts_of(files, sensor).value_or(0);
    return watts;
}

}  // namespace

std::optional<double> board_watts(const SystemFiles& files) {
    const std::vector<std::string> sensors = power_monitors(files);
    if (sensors.empty()) return std::nullopt;
    return sum_of_watts(files, sensors);
}

/// Integrates power over time from sensors that report power, or voltage and current.
struct EnergyMeter::Sampler {
    explicit Sampler(const SystemFiles& given, std::vector<std::string> found)
        : files(given), sensors(std::move(found)), thread([this] { run(); }) {}
    ~Sampler() {
        stopping = true;
        thread.join();
    }
    void run() noexcept {
        try {
            for (double last = steady_seconds(), now = last; !stopping; last = now) {
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
                const double watts = sum_of_watts(files, sensors);
                now = steady_seconds();
                const std::lock_guard lock(mutex);
                joules += watts * (now - last);
            }
        } catch (const std::exception&) {
            failed = true;
        }
    }

    const SystemFiles& files;
    std::vector<std::string> sensors;
    std::mutex mutex;
    double joules = 0;
    std::atomic<bool> stopping{false}, failed{false};
    std::thread thread;
};

EnergyMeter::EnergyMeter(const SystemFiles& files) : files_(files) {
    for (const std::string& zone : files.entries("/sys/class/powercap", "intel-rapl:")) {
        // Packages only: their parts are counted in them.
        const bool package = std::count(zone.begin(), zone.end(), ':') == 1;
        const std::string file = zone + "/energy_uj";
        if (const auto now_uj = package ? files.number(file) : std::nullopt) {
            counters_.push_back({file, *now_uj, files.number(zone + "/max_energy_range_uj")});
            counted_uj_ += *now_uj;
        }
    }
    if (!counters_.empty()) return;
    std::vector<std::string> sensors = power_monitors(files);
    if (!sensors.empty()) sampler_ = std::make_unique<Sampler>(files, std::move(sensors));
}

EnergyMeter::~EnergyMeter() = default;

std::optional<double> EnergyMeter::joules() {
    if (sampler_) {
        if (sampler_->failed) return std::nullopt;
        const std::lock_guard lock(sampler_->mutex);
        return sampler_->joules;
    }
    if (counters_.empty()) return std::nullopt;
    for (Counter& counter : counters_) {
        const auto now_uj = files_.number(counter.file);
        if (!now_uj) return std::nullopt;
        counted_uj_ += *now_uj - counter.last_uj;
        // Without a range the sum falls, which is no power.
        if (*now_uj < counter.last_uj) counted_uj_ += counter.range_uj.value_or(0);
        counter.last_uj = *now_uj;
    }
    return counted_uj_ * 1e-6;
}

bool is_power(double watts) { return watts > 0 && watts <= max_watt; }

}  // namespace edgeloop
