#include "edgeloop/deploy/trained_model.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/deploy/predictor.hpp"

#include <cmath>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

constexpr int format_version = 1;
constexpr const char* record_name = "training.json";
constexpr const char* restore = "restore the folder from a copy or train again";

std::string record_file(const std::string& folder) { return folder + '/' + record_name; }

Json to_json(const SampleRules& rules) {
    return {{"margin", rules.margin},
            {"short_lines", name_of(rules.short_lines)},
            {"shortest_line", rules.shortest_line},
            {"validation_windows", rules.validation_windows},
            {"data_seed", rules.data_seed},
            {"max_train_samples", rules.max_train_samples},
            {"max_validation_samples", rules.max_validation_samples},
            {"augment", rules.augment},
            {"crop", name_of(rules.crop)}};
}

SampleRules rules_from(const Json& json) {
    SampleRules rules;
    json.at("margin").get_to(rules.margin);
    rules.short_lines = short_lines_from(json.at("short_lines").get<std::string>());
    json.at("shortest_line").get_to(rules.shortest_line);
    json.at("validation_windows").get_to(rules.validation_windows);
    json.at("data_seed").get_to(rules.data_seed);
    json.at("max_train_samples").get_to(rules.max_train_samples);
    json.at("max_validation_samples").get_to(rules.max_validation_samples);
    json.at("augment").get_to(rules.augment);
    rules.crop = crop_from(json.at("crop").get<std::string>());
    const auto is_sound = [](int value, int low) {
        return value >= low && value <= WindowRule::max_frames;
    };
    if (!is_sound(rules.margin, 0) || rules.shortest_line < 0 ||
        !is_sound(rules.validation_windows, 1))
        throw ConfigError("'window' has a value out of range");
    return rules;
}

Json to_json(const Promise& promise) {
    if (promise.empty()) return nullptr;
    return {{"metrics", promise.metrics},     {"device", promise.device},
            {"class", promise.device_class},  {"runtime", promise.runtime},
            {"processor", promise.processor}, {"threads", promise.threads},
            {"is_modelled", promise.modelled}};
}

Promise promise_from(const Json& json) {
    Promise promise;
    if (json.is_null()) return promise;
    json.at("metrics").get_to(promise.metrics);
    json.at("device").get_to(promise.device);
    json.at("class").get_to(promise.device_class);
    json.at("runtime").get_to(promise.runtime);
    json.at("processor").get_to(promise.processor);
    json.at("threads").get_to(promise.threads);
    json.at("is_modelled").get_to(promise.modelled);
    return promise;
}

Json to_json(const Repeat& repeat) {
    return {{"seed", repeat.seed},
            {"best_epoch", repeat.best_epoch},
            {"averaged", repeat.averaged},
            {"metrics", repeat.metrics}};
}

Repeat repeat_from(const Json& json) {
    Repeat repeat;
    json.at("seed").get_to(repeat.seed);
    json.at("best_epoch").get_to(repeat.best_epoch);
    json.at("averaged").get_to(repeat.averaged);
    json.at("metrics").get_to(repeat.metrics);
    return repeat;
}

Json targets_json(const std::vector<Target>& targets) {
    Json list = Json::array();
    for (const Target& target : targets)
        list.push_back({{"name", target.name}, {"unit", target.unit}, {"scale", target.scale}});
    return list;
}

std::vector<Target> targets_from(const Json& list) {
    std::vector<Target> targets;
    for (const Json& each : list) {
        targets.push_back({each.at("name").get<std::string>(), each.at("unit").get<std::string>(),
                           each.at("scale").get<double>()});
        if (!(targets.back().scale > 0) || !std::isfinite(targets.back().scale))
            throw ConfigError("'targets' has a scale out of range");
    }
    if (targets.empty()) throw ConfigError("'targets' is empty");
    return targets;
}

Json record_of(const TrainedModel& model) {
    const Json spec = model.spec.to_json();
    Json repeats = Json::array(), metrics = Json::object();
    for (const Repeat& repeat : model.repeats) repeats.push_back(to_json(repeat));
    for (const auto& [name, spread] : model.metrics)
        metrics[name] = {{"mean", spread.mean}, {"sd", spread.sd}, {"n", spread.n}};
    return {{"format", format_version},
            {"program", model.program},
            {"seed", model.repeats.at(0).seed},
            {"repeats", std::move(repeats)},
            {"chosen", model.chosen},
            {"metrics", std::move(metrics)},
            {"dataset", {{"digest", model.dataset_digest}, {"path", model.dataset_path}}},
            {"targets", targets_json(model.targets)},
            {"clip", spec.at("clip")},
            {"recipe", spec.at("training")},
            {"window", to_json(model.rules)},
            {"from", model.from_run_dir.empty() ? Json()
                                                : Json{{"run_dir", model.from_run_dir},
                                                       {"id", model.from_id},
                                                       {"objectives", model.from_objectives}}},
            {"search", to_json(model.promise)},
            {"options", model.options},
            {"spec_digest", model.spec.identity().hex()},
            {"weights_digest", model.weights_digest}};
}

/// What the record says, but for the spec.
TrainedModel model_from(const Json& json) {
    TrainedModel model;
    json.at("program").get_to(model.program);
    for (const Json& each : json.at("repeats")) model.repeats.push_back(repeat_from(each));
    json.at("chosen").get_to(model.chosen);
    if (model.chosen >= model.repeats.size()) throw ConfigError("'chosen' is none of its repeats");
    for (const auto& [name, each] : json.at("metrics").items())
        model.metrics[name] = {each.at("mean").get<double>(), each.at("sd").get<double>(),
                               each.at("n").get<std::size_t>()};
    json.at("dataset").at("digest").get_to(model.dataset_digest);
    json.at("dataset").at("path").get_to(model.dataset_path);
    model.targets = targets_from(json.at("targets"));
    model.rules = rules_from(json.at("window"));
    if (const Json& from = json.at("from"); !from.is_null()) {
        from.at("run_dir").get_to(model.from_run_dir);
        from.at("id").get_to(model.from_id);
        from.at("objectives").get_to(model.from_objectives);
    }
    model.promise = promise_from(json.at("search"));
    json.at("options").get_to(model.options);
    json.at("weights_digest").get_to(model.weights_digest);
    return model;
}

Json read_record(const std::string& file) {
    Json json = parse_json(read_file(file, max_kept_json_bytes), file, deepest_kept_json);
    if (!json.is_object() || !json.contains("format") || !json.at("format").is_number_integer())
        throw ConfigError(fmt::format("'{}' is no record of a training", file), {},
                          "name a folder that edgeloop-model train wrote");
    if (json.at("format") != format_version)
        throw ConfigError(fmt::format("'{}' has format {}", file, json.at("format").dump()),
                          fmt::format("this program reads format {}", format_version),
                          "use the release of edgeloop that wrote it");
    return json;
}

void check_weights(const TrainedModel& model) {
    const std::uint64_t limit = max_weights_bytes(model.spec);
    const std::string file = model.weights_file();
    if (digest(read_file(file, limit)).hex() != model.weights_digest)
        throw ConfigError(fmt::format("'{}' is not the file that was written", file),
                          fmt::format("its digest is not the one in {}", record_name), restore);
}

}  // namespace

std::map<std::string, Spread> spread_over(const std::vector<Repeat>& repeats) {
    std::map<std::string, Spread> all;
    if (repeats.empty()) return all;
    const auto n = static_cast<double>(repeats.size());
    for (const auto& each : repeats.front().metrics) {
        const std::string& name = each.first;
        double sum = 0, squares = 0;
        bool complete = true;
        for (const Repeat& repeat : repeats) {
            const auto found = repeat.metrics.find(name);
            complete = complete && found != repeat.metrics.end();
            if (complete) sum += found->second;
        }
        if (!complete) continue;
        for (const Repeat& repeat : repeats)
            squares += std::pow(repeat.metrics.at(name) - sum / n, 2);
        all[name] = {sum / n, repeats.size() > 1 ? std::sqrt(squares / (n - 1)) : 0,
                     repeats.size()};
    }
    return all;
}

TrainedModel TrainedModel::load(const std::string& folder) {
    const std::string file = record_file(folder);
    if (!fs::exists(file))
        throw ConfigError(
            fmt::format("'{}' holds no trained model: there is no {}", folder, record_name), {},
            "name a folder that edgeloop-model train wrote");
    const Json json = read_record(file);
    TrainedModel model;
    std::string spec_digest, problem;
    try {
        model = model_from(json);
        json.at("spec_digest").get_to(spec_digest);
    } catch (const Json::exception& error) {
        problem = error.what();
    } catch (const ConfigError& error) {
        problem = error.what();
    }
    if (!problem.empty()) throw ConfigError(fmt::format("'{}' is damaged", file), problem, restore);
    model.folder = folder;
    model.spec = ArchitectureSpec::from_file(folder + "/spec.json");
    if (model.spec.identity().hex() != spec_digest)
        throw ConfigError(fmt::format("'{}/spec.json' is not the design that was trained", folder),
                          fmt::format("its digest is not the one in {}", record_name), restore);
    check_weights(model);
    return model;
}

void TrainedModel::save(const std::string& into, std::string_view weights) {
    EDGELOOP_EXPECT(chosen < repeats.size(), "one of the repeats is chosen");
    folder = into;
    program = version();
    spec = ArchitectureSpec::from_json(spec.to_json(), "the trained design");  // as it is read
    weights_digest = digest(weights).hex();
    make_directories(into);
    write_file_atomic(weights_file(), weights);
    write_file_atomic(into + "/spec.json", spec.to_json().dump(2) + '\n');
    write_file_atomic(record_file(into),
                      record_of(*this).dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
}

bool holds_trained_model(const std::string& folder) { return fs::exists(record_file(folder)); }

}  // namespace edgeloop
