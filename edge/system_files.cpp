#include "system_files.hpp"

#include "runtime.hpp"

#include "edgeloop/core/build_info.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
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

double SystemFiles::memory_mib(const std::string& kind, int process) const {
    const std::string who = process == 0 ? "self" : std::to_string(process);
    return mib_of(field("/proc/" + who + "/status", kind)).value_or(0);
}

Json deliverables(const SystemFiles& files, const Json& runtime, const std::vector<Meter>& meters) {
    const bool cuda = runtime.value("cuda", false);
    Json runtimes = Json::array(), processors = {"cpu"};
    for (const std::string& name : runtime_names())
        if (cuda || !needs_cuda(name)) runtimes.push_back(name);
    if (cuda) processors.push_back("cuda");
    std::vector<std::string> metrics = metric_names(Source::measuring, Needs::samples);
    for (std::string& name : RunningMeters(files, meters).names())
        metrics.push_back(std::move(name));
    return {{"runtimes", std::move(runtimes)},
            {"processors", std::move(processors)},
            {"metrics", std::move(metrics)}};
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
