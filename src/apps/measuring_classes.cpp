#include "apps/measuring_classes.hpp"

#include "apps/search_config.hpp"

#include "edgeloop/accelerator/part.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

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
    {"seconds", "time_budget_s"},   {"threads", "threads"},
    {"runtime", "runtime", true},   {"processor", "processor", true},
    {"part", "part", true},         {"resources", "resources", true},
    {"clock", "clock", true},       {"camera-height", "frame_height"},
    {"camera-width", "frame_width"}};

/// "board:threads=2,runtime=native" taken apart.
struct TypedClass {
    std::string name, settings;
};

TypedClass typed_class(const std::string& text) {
    const auto colon = text.find(':');
    if (colon == std::string::npos) return {text, {}};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

/// What is usually wanted of a class.
std::string usual_metric(const TypedClass& typed) {
    const bool simulated = typed.settings.find("runtime=rtl") != std::string::npos;
    return (simulated ? "latency_us@" : "latency_ms@") + printable(typed.name);
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

/// What class a setting or a goal is of, for messages.
std::string about(const std::string& name) {
    return name.empty() ? "--measure-runtime rtl" : fmt::format("--device-class {}", name);
}

/// Completes what a class of simulated hardware is asked for. A class that is called after a part
/// is of that part.
void settle_circuit(const std::string& name, MeasurementSettings& settings) {
    const std::string called_after = "rtl-";
    const std::vector<std::string> known = accelerator::part_names();
    const auto is_known = [&](const std::string& part) {
        return std::find(known.begin(), known.end(), part) != known.end();
    };
    if (settings.part.empty() && name.rfind(called_after, 0) == 0 &&
        is_known(name.substr(called_after.size())))
        settings.part = name.substr(called_after.size());
    if (settings.part.empty())
        throw ConfigError(about(name) + ": no part is named", "a circuit is made for a part",
                          name.empty()
                              ? fmt::format("give --measure-part: {}", fmt::join(known, ", "))
                              : fmt::format("write {}:runtime=rtl,part=PART; the parts are {}",
                                            name, fmt::join(known, ", ")));
    if (!is_known(settings.part))
        throw ConfigError(fmt::format("{}: there is no part '{}'", about(name), settings.part), {},
                          fmt::format("the parts are {}", fmt::join(known, ", ")));
    const accelerator::Part part = accelerator::part_named(settings.part);
    if (settings.clock == "placed" && part.placement.empty())
        throw ConfigError(
            fmt::format("{}: there is no free place and route for {}", about(name), part.title), {},
            "leave the clock assumed");
}

/// Refuses a goal that simulated hardware does not have, or that it alone has.
void require_goals_of(const std::string& name, const MeasurementSettings& settings,
                      const Goals& goals) {
    const bool simulated = is_simulated(settings.runtime);
    for (const std::string& wanted : goals.wanted()) {
        const Metric* const metric = find_metric(wanted);
        if (metric == nullptr || metric->source != Source::measuring ||
            split_metric(wanted).device_class != name ||
            (metric->needs == Needs::circuit) == simulated)
            continue;
        throw ConfigError(
            simulated ? fmt::format("'{}' is timed, and the runtime rtl simulates", wanted)
                      : fmt::format("'{}' is of simulated hardware, and the runtime is {}", wanted,
                                    settings.runtime),
            {},
            simulated      ? fmt::format("write {}", metric_of_class("latency_us", name))
            : name.empty() ? "add --measure-runtime rtl --measure-part PART"
                           : fmt::format("add --device-class {}:runtime=rtl,part=PART", name));
    }
}

/// Settles what is simulated; others are asked for nothing that only circuits have.
MeasuringClasses with_circuits(MeasuringClasses classes, const SearchConfig& config) {
    if (!config.problem.empty() || config.edge == "none" || config.edge == "model") return classes;
    for (auto& [name, each] : classes) {
        MeasurementSettings& settings = each.settings;
        const MeasurementSettings usual;
        if (is_simulated(settings.runtime)) {
            settle_circuit(name, settings);
        } else {
            settings.part = usual.part;
            settings.resources = usual.resources;
            settings.clock = usual.clock;
        }
        require_goals_of(name, settings, config.engine.goals);
    }
    return classes;
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
                          fmt::format("write {} for what it measures, or give its settings by "
                                      "--measure-...",
                                      usual_metric(typed)));
    wire::check_name("--device-class", name);
    return {{"", {name, config.probe.settings}}};
}

}  // namespace

MeasuringClasses measuring_classes(const SearchConfig& config) {
    const Goals& goals = config.engine.goals;
    std::set<std::string> named =
        config.problem.empty() ? classes_in(goals) : std::set<std::string>();
    const bool several = config.device_classes.size() > 1 && config.problem.empty();
    if (named.empty() && !several) return with_circuits(without_name(config), config);
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
                fmt::format("write e.g. {}, or drop the class", usual_metric(typed)));
        if (classes.count(typed.name) > 0)
            throw ConfigError(fmt::format("--device-class {} is given twice", typed.name), {},
                              "give each class once");
        classes[typed.name] = {typed.name, settings_of(typed, config.probe.settings)};
    }
    for (const std::string& name : named)
        if (classes.count(name) == 0) classes[name] = {name, config.probe.settings};
    return with_circuits(std::move(classes), config);
}

std::vector<std::string> usual_objectives(const MeasuringClasses& classes) {
    const auto simulated = [](const auto& each) {
        return is_simulated(each.second.settings.runtime);
    };
    if (std::none_of(classes.begin(), classes.end(), simulated)) return {};
    std::vector<std::string> names{"val_rmse"};
    for (const auto& each : classes)
        names.push_back(metric_of_class(simulated(each) ? "latency_us" : "latency_ms", each.first));
    return names;
}

std::vector<std::string> names_of(const MeasuringClasses& classes) {
    std::vector<std::string> names;
    for (const auto& each : classes) names.push_back(each.first);
    return names;
}

}  // namespace edgeloop::apps
