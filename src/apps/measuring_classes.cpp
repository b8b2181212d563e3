#include "apps/measuring_classes.hpp"

#include "apps/search_config.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::apps {
namespace {

/// A setting that a class may have for itself, named as the option for all of them, with its key in
/// JSON.
struct OwnSetting {
    const char* name;
    const char* key;
    bool is_text = false;
};
constexpr OwnSetting own_settings[] = {
    {"seconds", "time_budget_s"},      {"threads", "threads"},
    {"runtime", "runtime", true},      {"processor", "processor", true},
    {"camera-height", "frame_height"}, {"camera-width", "frame_width"}};

/// "board:threads=2,runtime=native" taken apart.
struct TypedClass {
    std::string name, settings;
};

TypedClass typed_class(const std::string& text) {
    const auto colon = text.find(':');
    if (colon == std::string::npos) return {text, {}};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

const OwnSetting& own_setting(const std::string& name, const std::string& device_class) {
    std::vector<std::string> known;
    for (const OwnSetting& each : own_settings) {
        if (name == each.name) return each;
        known.emplace_back(each.name);
    }
    throw ConfigError(
        fmt::format("--device-class {}: unknown setting '{}'", device_class, printable(name)),
        "a class has settings like board:threads=2,runtime=native", did_you_mean(name, known));
}

/// Those of all classes, but for what is said of this one.
MeasurementSettings settings_of(const TypedClass& typed, const MeasurementSettings& of_all) {
    Json json = of_all.to_json();
    std::istringstream parts(typed.settings);
    for (std::string part; std::getline(parts, part, ',');) {
        const auto equals = part.find('=');
        const std::string value =
            equals == std::string::npos ? std::string() : part.substr(equals + 1);
        const std::string key = part.substr(0, equals);
        const OwnSetting& setting = own_setting(key, typed.name);
        const auto number = number_in<double>(value);
        if (value.empty() || (!setting.is_text && !number))
            throw ConfigError(fmt::format("--device-class {}: '{}' has no {}", typed.name,
                                          printable(part), setting.is_text ? "value" : "number"),
                              {}, "write it like board:threads=2,runtime=native");
        json[setting.key] = setting.is_text ? Json(value) : Json(*number);
    }
    return MeasurementSettings::from_json(json, "--device-class " + typed.name);
}

/// Classes that objectives and constraints name.
std::set<std::string> classes_in(const Goals& goals) {
    std::set<std::string> names;
    for (const std::string& wanted : goals.wanted()) {
        const std::string name(split_metric(wanted).device_class);
        if (name.empty()) continue;
        if (!is_class_name(name))
            throw ConfigError(
                fmt::format("'{}' names no class of devices", printable(wanted)),
                "behind the @ a class has letters, digits and . _ + - / and begins with a letter "
                "or digit",
                "give the devices another class: edgeloop-edge serve --class NAME");
        wire::check_name("the class of " + wanted, name);
        names.insert(name);
    }
    return names;
}

void require_device(const SearchConfig& config) {
    if (config.edge != "none" && config.edge != "model") return;
    throw ConfigError(
        fmt::format("--edge {} knows no classes of devices", config.edge),
        config.edge == "none" ? "nothing is measured" : "it computes one latency for all of them",
        "drop the class: latency_ms; or name a way to devices: --edge local, bind:..., tcp://...");
}

/// Of a run that names none.
MeasuringClasses without_name(const SearchConfig& config) {
    const std::string name = config.device_classes.empty() ? "" : config.device_classes.front();
    const TypedClass typed = typed_class(name);
    if (is_class_name(typed.name) && typed.settings.find('=') != std::string::npos)
        throw ConfigError(fmt::format("--device-class {}: no objective or constraint names this "
                                      "class, and it has settings of its own",
                                      name),
                          {},
                          fmt::format("write latency_ms@{} for what it measures, or give its "
                                      "settings by --measure-...",
                                      typed.name));
    wire::check_name("--device-class", name);
    return {{"", {name, config.probe.settings}}};
}

}  // namespace

MeasuringClasses measuring_classes(const SearchConfig& config) {
    const Goals& goals = config.engine.goals;
    std::set<std::string> named =
        config.problem.empty() ? classes_in(goals) : std::set<std::string>();
    const bool several = config.device_classes.size() > 1 && config.problem.empty();
    if (named.empty() && !several) return without_name(config);
    require_device(config);
    const bool usual_goals = goals.objectives.empty();  // they ask for a latency of each class
    MeasuringClasses classes;
    for (const std::string& text : config.device_classes) {
        const TypedClass typed = typed_class(text);
        if (usual_goals && is_class_name(typed.name)) named.insert(typed.name);
        if (named.count(typed.name) == 0)
            throw ConfigError(
                fmt::format("--device-class {}: nothing is wanted of it", printable(text)),
                "no objective or constraint names this class",
                fmt::format("write e.g. latency_ms@{}, or drop the class", printable(typed.name)));
        if (classes.count(typed.name) > 0)
            throw ConfigError(fmt::format("--device-class {} is given twice", typed.name), {},
                              "give each class once");
        classes[typed.name] = {typed.name, settings_of(typed, config.probe.settings)};
    }
    for (const std::string& name : named)
        if (classes.count(name) == 0) classes[name] = {name, config.probe.settings};
    return classes;
}

std::vector<std::string> names_of(const MeasuringClasses& classes) {
    std::vector<std::string> names;
    for (const auto& each : classes) names.push_back(each.first);
    return names;
}

}  // namespace edgeloop::apps
