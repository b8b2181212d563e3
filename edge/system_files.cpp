#include "system_files.hpp"

#include "runtime.hpp"

#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <sys/utsname.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

const std::string cpu_folder = "/sys/devices/system/cpu";

// Drivers report values that cannot be when a sensor is off or not there: -256 degrees on Jetson.
// What lies outside is left out, as if it had not been told.
constexpr double min_milli_c = -60e3, max_milli_c = 200e3;  ///< silicon neither survives
constexpr double min_khz = 1e3, max_khz = 20e6;
constexpr double min_volt = 0.5, max_volt = 80;  ///< of a supply that powers a board
constexpr double max_watt = 5000;

std::string trim(const std::string& text) {
    const auto blank = [](unsigned char c) { return std::isspace(c) != 0 || c == 0; };
    const auto first = std::find_if_not(text.begin(), text.end(), blank);
    const auto last = std::find_if_not(text.rbegin(), text.rend(), blank).base();
    return first < last ? std::string(first, last) : std::string();
}

/// Lower case, runs of anything else than letters, digits and dots become one hyphen.
std::string slug(const std::string& text) {
    std::string result;
    for (const unsigned char c : text) {
        if (std::isalnum(c) != 0 || c == '.')
            result.push_back(static_cast<char>(std::tolower(c)));
        else if (!result.empty() && result.back() != '-')
            result.push_back('-');
    }
    while (!result.empty() && result.back() == '-') result.pop_back();
    return result;
}

std::optional<double> mib_of(const std::optional<std::string>& kib_text) {
    if (!kib_text) return std::nullopt;
    return std::strtod(kib_text->c_str(), nullptr) / 1024.0;
}

template <class T>
void put(Json& json, const char* key, const std::optional<T>& value) {
    if (value) json[key] = *value;
}

}  // namespace

std::optional<std::string> SystemFiles::line(const std::string& path) const {
    std::ifstream file(root_ + path);
    std::string text;
    if (!std::getline(file, text)) return std::nullopt;
    return trim(text);
}

std::optional<double> SystemFiles::number(const std::string& path) const {
    const auto text = line(path);
    if (!text || text->empty()) return std::nullopt;
    char* end = nullptr;
    const double value = std::strtod(text->c_str(), &end);
    if (end == text->c_str()) return std::nullopt;
    return value;
}

std::vector<std::string> SystemFiles::entries(const std::string& folder,
                                              const std::string& prefix) const {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root_ + folder, error)) {
        const std::string name = entry.path().filename().string();
        if (name.rfind(prefix, 0) == 0) found.push_back(folder + "/" + name);
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::optional<std::string> SystemFiles::field(const std::string& path,
                                              const std::string& key) const {
    std::ifstream file(root_ + path);
    for (std::string text; std::getline(file, text);) {
        const auto colon = text.find(':');
        if (colon != std::string::npos && trim(text.substr(0, colon)) == key)
            return trim(text.substr(colon + 1));
    }
    return std::nullopt;
}

Json SystemFiles::clocks_mhz() const {
    Json clocks = Json::array();
    for (const std::string& cpu : entries(cpu_folder, "cpu"))
        if (const auto khz = number(cpu + "/cpufreq/scaling_cur_freq"))
            if (*khz >= min_khz && *khz <= max_khz) clocks.push_back(*khz / 1000.0);
    return clocks;
}

Json SystemFiles::temperatures_c() const {
    Json temperatures = Json::object();
    for (const std::string& zone : entries("/sys/class/thermal", "thermal_zone"))
        if (const auto milli = number(zone + "/temp"))
            if (*milli > min_milli_c && *milli < max_milli_c)
                temperatures[line(zone + "/type").value_or(zone)] = *milli / 1000.0;
    return temperatures;
}

Json SystemFiles::conditions() const {
    Json now = Json::object();
    if (Json clocks = clocks_mhz(); !clocks.empty()) now["clocks_mhz"] = std::move(clocks);
    if (Json degrees = temperatures_c(); !degrees.empty())
        now["temperatures_c"] = std::move(degrees);
    put(now, "governor", line(cpu_folder + "/cpu0/cpufreq/scaling_governor"));
    double throttled = 0;
    bool counted = false;
    for (const std::string& cpu : entries(cpu_folder, "cpu"))
        if (const auto count = number(cpu + "/thermal_throttle/core_throttle_count")) {
            throttled += *count;
            counted = true;
        }
    if (counted) now["throttle_events"] = throttled;
    put(now, "throttled_flags",
        line("/sys/devices/platform/soc/soc:firmware/get_throttled"));  // Raspberry Pi
    put(now, "load_1min", number("/proc/loadavg"));
    return now;
}

Json SystemFiles::machine() const {
    utsname system{};
    ::uname(&system);
    Json facts = {{"architecture", system.machine},
                  {"kernel", fmt::format("{} {}", system.sysname, system.release)},
                  {"host", system.nodename},
                  {"cores", std::thread::hardware_concurrency()}};
    put(facts, "board", line("/proc/device-tree/model"));
    auto cpu = field("/proc/cpuinfo", "model name");
    if (!cpu) cpu = field("/proc/cpuinfo", "Model");
    put(facts, "cpu", cpu);
    put(facts, "memory_mib", mib_of(field("/proc/meminfo", "MemTotal")));
    put(facts, "governor", line(cpu_folder + "/cpu0/cpufreq/scaling_governor"));
    const auto jetson = line("/var/lib/nvpmodel/status");
    put(facts, "power_mode", jetson ? jetson : line("/sys/firmware/acpi/platform_profile"));
    std::ifstream release(root_ + "/etc/os-release");
    for (std::string text; std::getline(release, text);)
        if (text.rfind("PRETTY_NAME=", 0) == 0) facts["os"] = text.substr(13, text.size() - 14);
    return facts;
}

double SystemFiles::memory_mib(const std::string& kind) const {
    return mib_of(field("/proc/self/status", kind)).value_or(0);
}

namespace {

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
        if (package && files.number(zone + "/energy_uj")) counters_.push_back(zone + "/energy_uj");
    }
    if (!counters_.empty()) return;
    std::vector<std::string> sensors = power_monitors(files);
    if (!sensors.empty()) sampler_ = std::make_unique<Sampler>(files, std::move(sensors));
}

EnergyMeter::~EnergyMeter() = default;

std::optional<double> EnergyMeter::joules() const {
    if (sampler_) {
        if (sampler_->failed) return std::nullopt;
        const std::lock_guard lock(sampler_->mutex);
        return sampler_->joules;
    }
    if (counters_.empty()) return std::nullopt;
    double total = 0;
    for (const std::string& counter : counters_) total += files_.number(counter).value_or(0) * 1e-6;
    return total;
}

bool is_power(double watts) { return watts > 0 && watts <= max_watt; }

Json deliverables(const SystemFiles& files, const Json& runtime) {
    const bool cuda = runtime.value("cuda", false);
    Json runtimes = Json::array(), processors = {"cpu"};
    for (const std::string& name : runtime_names())
        if (cuda || !needs_cuda(name)) runtimes.push_back(name);
    if (cuda) processors.push_back("cuda");
    const Needs means = EnergyMeter(files).joules() ? Needs::power_meter : Needs::samples;
    return {{"runtimes", std::move(runtimes)},
            {"processors", std::move(processors)},
            {"metrics", metric_names(Source::measuring, means)}};
}

Json device_record(const SystemFiles& files, const std::string& name,
                   const std::string& device_class, const Json& runtime) {
    return {{"name", name},
            {"class", device_class},
            {"machine", files.machine()},
            {"runtime", runtime},
            {"delivers", deliverables(files, runtime)},
            {"edgeloop", build_description()},
            {"conditions", files.conditions()}};
}

std::string default_device_class(const SystemFiles& files, const Json& runtime) {
    const Json machine = files.machine();
    std::string model = machine.value("board", "");
    if (model.empty()) model = machine.value("cpu", "");
    if (model.empty()) model = machine.value("architecture", "unknown");
    std::string text = fmt::format("{}/{}-{}", slug(model), runtime.value("name", "none"),
                                   runtime.value("version", "0"));
    for (const auto& [key, value] : runtime.items())  // versions of further runtimes
        if (value.is_string() && key != "name" && key != "version")
            text += fmt::format("/{}-{}", key, slug(value.get<std::string>()));
    for (const char* key : {"power_mode", "governor"})
        if (machine.contains(key)) text += "/" + slug(machine.at(key).get<std::string>());
    return text;
}

}  // namespace edgeloop
