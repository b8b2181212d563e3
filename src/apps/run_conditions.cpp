#include "apps/search_task.hpp"

#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"

#include <filesystem>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::apps {
namespace {

using cli::Scope;

// The part of the conditions in which a setting counts; null: it has no say in what a run with
// these others finds.
RunConditions::Values* part_of(RunConditions& conditions, const cli::Setting& setting,
                               const SearchConfig& config) {
    const bool trains = config.problem.empty();
    const bool measures = config.edge != "model" && config.edge != "none";
    switch (setting.scope) {
        case Scope::none:
        case Scope::run:
            break;
        case Scope::engine:  // the identity has the space's content; its name may change
            return setting.name != "space" ? &conditions.search : nullptr;
        case Scope::training:
            return trains ? &conditions.training : nullptr;
        case Scope::measuring:
            return trains && (measures || setting.name == "edge") ? &conditions.measuring : nullptr;
    }
    return nullptr;
}

RunConditions as_typed(const SearchConfig& config) {
    RunConditions conditions;
    for (const cli::Setting& setting : search_settings(config))
        if (RunConditions::Values* values = part_of(conditions, setting, config))
            (*values)[setting.name] = fmt::format("{}", fmt::join(setting.values, " "));
    // Who measures, without the address.
    const std::set<std::string> kinds{"local", "model", "none"};
    if (const auto edge = conditions.measuring.find("edge"); edge != conditions.measuring.end())
        if (kinds.count(edge->second) == 0) edge->second = "remote";
    return conditions;
}

}  // namespace

RunConditions run_conditions(const SearchConfig& config, const SearchTask& task) {
    RunConditions conditions = as_typed(config);
    if (config.problem.empty()) conditions.training["data"] = task.data_digest;
    if (task.training && task.training->device != Device::automatic)
        conditions.training["device"] = task.training->device == Device::cuda ? "cuda" : "cpu";
    if (task.training && task.training->shortest_line > 0)  // follows from the space
        conditions.training["shortest-line"] = std::to_string(task.training->shortest_line);
    if (!table_of(config).empty()) {  // its content; the file may move
        conditions.search["problem"] = "table";
        conditions.search["table"] = task.data_digest;
    }
    const Goals& goals = task.engine.goals;
    std::vector<std::string> limits;
    for (const Constraint& constraint : goals.constraints) limits.push_back(to_string(constraint));
    conditions.search["objectives"] = fmt::format("{}", fmt::join(goals.objectives, " "));
    conditions.search["constraint"] = fmt::format("{}", fmt::join(limits, " "));
    const std::vector<Genome>& given = task.engine.first;
    std::string genes;
    for (const Genome& design : given) genes += fmt::format("{};", fmt::join(design.genes, ","));
    conditions.search["seed-specs"] =
        given.empty() ? "" : fmt::format("{} designs {}", given.size(), digest(genes).hex());
    return conditions;
}

std::string younger_conditions(const SearchConfig& config) {
    const std::set<std::string> named{"data",        "ranks-per-candidate",
                                      "large-ranks", "max-train-samples",
                                      "augment",     "threads",
                                      "device",      "max-validation-samples",
                                      "kernels",     "mixed-precision",
                                      "clip-norm",   "patience"};
    const RunConditions defaults = as_typed(older_defaults());
    std::string text;
    for (const auto& [name, value] : as_typed(config).training)
        if (named.count(name) == 0 && value != defaults.training.at(name))
            text += fmt::format(" {}={}", name, value);
    return text;
}

RunConditions conditions_in_files(const std::string& run_dir) {
    RunConditions conditions;
    const std::string config = run_dir + "/config.ini", provenance = run_dir + "/provenance.json";
    if (std::filesystem::exists(config)) conditions = as_typed(read_old_config(config));
    // What is resolved only with the space or the data at hand is compared as the run's identity
    // has it.
    for (const char* name : {"objectives", "constraint", "seed-specs"})
        conditions.search.erase(name);
    for (const char* name : {"data", "device"}) conditions.training.erase(name);
    if (!std::filesystem::exists(provenance)) return conditions;
    const Json identity =
        read_json_file(provenance, deepest_kept_json).value("identity", Json::object());
    // "data DIGEST train ...": how provenance.json described the data once.
    std::istringstream training(identity.value("training", ""));
    std::string what, data;
    if (training >> what >> data && what == "data") conditions.training["data"] = data;
    return conditions;
}

}  // namespace edgeloop::apps
