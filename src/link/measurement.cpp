#include "edgeloop/link/measurement.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <variant>

#include <fmt/format.h>

namespace edgeloop {
namespace {

using Settings = MeasurementSettings;

/// A member with its key and the values it may have.
struct SettingField {
    const char* key;
    std::variant<std::vector<int> Settings::*, int Settings::*, double Settings::*,
                 std::string Settings::*>
        member;
    Range range;
    /// Else said only when it is not the default, so that the identity of a plain job is what it
    /// always was: every field from now on.
    bool always_said = false;
};

const std::vector<SettingField>& fields() {
    static const std::vector<SettingField> all{
        {"batches", &Settings::batches, between(1, 4096), true},
        {"threads", &Settings::threads, between(1, 1024), true},
        {"time_budget_s", &Settings::time_budget_s, between(0.001, 3600), true},
        {"min_samples", &Settings::min_samples, between(1, 1'000'000), true},
        {"min_seconds", &Settings::min_seconds, between(0, 3600)},
        {"spread", &Settings::spread, between(0, 10), true},
        {"frame_height", &Settings::frame_height, between(1, 4096)},
        {"frame_width", &Settings::frame_width, between(1, 4096)},
        {"time_limit_s", &Settings::time_limit_s, between(0.1, 86400), true},
        {"memory_limit_mib", &Settings::memory_limit_mib, between(0, 1e9), true},
        {"runtime", &Settings::runtime,
         one_of({"eager", "torchscript", "native", "onnx", "tensorrt", simulated_runtime}), true},
        {"processor", &Settings::processor, one_of({"cpu", "cuda"})},
        {"weights", &Settings::weights, {}},
        {"part", &Settings::part, {}},
        {"resources", &Settings::resources, one_of({"estimated", "synthesised"})},
        {"clock", &Settings::clock, one_of({"assumed", "placed"})},
        {"repeat", &Settings::repeat, between(0, 1'000'000), true}};
    return all;
}

void require(bool holds, const std::string& key, const std::string& rule,
             const std::string& where) {
    if (!holds) throw ConfigError(fmt::format("{}: '{}' must be {}", where, key, rule));
}

/// Reads values of one field; the JSON library would convert any number to an int.
struct Reader {
    const SettingField& field;
    const std::string& where;

    void operator()(const Json& json, double& value) const {
        value = json.is_number() ? json.get<double>() : std::numeric_limits<double>::quiet_NaN();
        require(field.range.has(value), field.key, field.range.text(), where);
    }
    void operator()(const Json& json, int& value) const {
        double number = 0;
        (*this)(json, number);
        require(number == std::floor(number), field.key, "a whole number", where);
        value = static_cast<int>(number);
    }
    void operator()(const Json& json, std::string& value) const {
        require(json.is_string(), field.key, "a text", where);
        value = json.get<std::string>();
        require(field.range.has(value), field.key, field.range.text(), where);
    }
    void operator()(const Json& json, std::vector<int>& values) const {
        require(json.is_array() && !json.empty() && json.size() <= 16, field.key,
                "a list of 1 to 16 numbers", where);
        values.resize(json.size());
        for (std::size_t i = 0; i < values.size(); ++i) (*this)(json[i], values[i]);
    }
};

const SettingField& field_of(const std::string& key, const std::string& where) {
    std::vector<std::string> known;
    for (const SettingField& field : fields()) {
        if (key == field.key) return field;
        known.emplace_back(field.key);
    }
    throw ConfigError(fmt::format("{}: unknown key '{}'", where, key), {},
                      did_you_mean(key, known));
}

/// Jobs that are stored from before the stop rule looked at the interval of the median.
Json with_names_of_today(Json json) {
    const auto old = json.find("iqr_ratio");
    if (old == json.end() || json.contains("spread")) return json;
    const Json value = *old;
    json.erase(old);
    json["spread"] = value;
    return json;
}

/// Why a device has no runtime, if it says so: " (verilator is not installed; ...)".
std::string problem_in(const Json& of_a_runtime) {
    const auto found = of_a_runtime.find("problem");
    if (found == of_a_runtime.end() || !found->is_string()) return "";
    constexpr std::size_t longest = 300;
    return fmt::format(" ({})",
                       printable(beginning(found->get_ref<const std::string&>(), longest)));
}

/// Stays inside the folder it is looked up in.
bool is_file_name(const std::string& text) {
    return text.size() <= 255 && text.rfind('.', 0) != 0 &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
           });
}

}  // namespace

bool is_everywhere(const std::string& runtime) {
    return runtime == "eager" || runtime == "torchscript";
}
bool runs_low_bits(const std::string& runtime) {
    return runtime == "native" || is_simulated(runtime);
}
bool needs_cuda(const std::string& runtime) { return runtime == "tensorrt"; }
bool is_simulated(const std::string& runtime) { return runtime == simulated_runtime; }

MeasurementSettings MeasurementSettings::from_json(const Json& given, const std::string& where) {
    if (!given.is_object()) throw ConfigError(where + ": expected an object");
    const Json json = with_names_of_today(given);
    for (const auto& item : json.items()) (void)field_of(item.key(), where);
    MeasurementSettings settings;
    for (const SettingField& field : fields())
        if (const auto found = json.find(field.key); found != json.end())
            std::visit(
                [&](auto member) {
                    Reader{field, where}(*found, settings.*member);
                },
                field.member);
    require(!needs_cuda(settings.runtime) || settings.processor == "cuda", "processor",
            "cuda for the runtime " + settings.runtime, where);
    require(is_file_name(settings.weights), "weights", "the name of a file", where);
    require(is_file_name(settings.part), "part", "the name of a gate array", where);
    return settings;
}

Json MeasurementSettings::to_json() const {
    Json json;
    for (const SettingField& field : fields())
        std::visit(
            [&](auto member) {
                if (field.always_said || this->*member != MeasurementSettings{}.*member)
                    json[field.key] = this->*member;
            },
            field.member);
    return json;
}

Range MeasurementSettings::range(const std::string& key) { return field_of(key, "settings").range; }

MeasurementSettings settings_of(const MeasurementJob& job) {
    return MeasurementSettings::from_json(parse_json(job.settings, "settings"), "settings");
}

MeasurementJob repeated(MeasurementJob job, int times) {
    MeasurementSettings settings = settings_of(job);
    settings.repeat += times;
    job.settings = settings.to_json().dump();
    return job;
}

std::vector<std::string> batch_members(const MeasurementSettings& settings) {
    std::vector<std::string> members;
    for (const int batch : settings.batches)
        if (batch > 1) members.push_back(std::to_string(batch));
    return members;
}

std::optional<std::string> lacking(const std::string& record, const MeasurementSettings& settings,
                                   const std::vector<std::string>& metrics) {
    const Json delivers = parse_json(record, "device record").value("delivers", Json::object());
    const bool simulated = is_simulated(settings.runtime);
    const Json of_circuits =
        simulated ? delivers.value(settings.runtime, Json::object()) : Json::object();
    const auto has = [](const Json& all, const char* kind, const std::string& name) {
        const auto list = all.find(kind);
        return list == all.end() || std::find(list->begin(), list->end(), name) != list->end();
    };
    if (!has(delivers, "runtimes", settings.runtime))
        return fmt::format("no runtime '{}'{}", settings.runtime, problem_in(of_circuits));
    if (!has(delivers, "processors", settings.processor))
        return fmt::format("no processor '{}'", settings.processor);
    if (!settings.part.empty() && !has(of_circuits, "parts", settings.part))
        return fmt::format("no part '{}'", settings.part);
    for (const std::string& metric : metrics)
        if (!has(simulated ? of_circuits : delivers, "metrics", metric)) return "no " + metric;
    return std::nullopt;
}

bool needs_a_meter(const std::string& metric) {
    const Metric* entry = find_metric(metric);
    return entry != nullptr && entry->needs == Needs::meter;
}

std::optional<std::string> special_among(const MeasurementSettings& settings,
                                         const std::vector<std::string>& metrics) {
    if (!is_everywhere(settings.runtime)) return "the runtime " + settings.runtime;
    if (settings.processor != "cpu") return "the processor " + settings.processor;
    const auto metered = std::find_if(metrics.begin(), metrics.end(), needs_a_meter);
    return metered == metrics.end() ? std::nullopt : std::optional(*metered);
}

bool is_lasting(const MeasurementResult& result) {
    if (result.status == Status::completed) return measured_validly(result.metrics);
    return result.status == Status::failed && result.failure_of == FailureOf::network;
}

MeasurementJob make_job(Json spec, const MeasurementSettings& settings,
                        const std::string& device_class) {
    if (!spec.is_object())
        throw ConfigError("specification: not a JSON object", {}, "see src/architecture/README.md");
    spec.erase("training");
    return {spec.dump(), settings.to_json().dump(), device_class};
}

std::uint64_t request_id(const MeasurementJob& job) {
    // Lengths first, so that moving a byte from one part to the next changes the text.
    const std::string text =
        fmt::format("{} {} {}\n{}{}{}", job.spec.size(), job.settings.size(),
                    job.device_class.size(), job.spec, job.settings, job.device_class);
    const std::uint64_t id = digest(text).low;
    return id == 0 ? 1 : id;
}

}  // namespace edgeloop
