#include "searched_run.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/data/catalogue.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

Json kept(const std::string& file) {
    if (!std::filesystem::exists(file)) return Json::object();
    return read_json_file(file, deepest_kept_json);
}

/// What conditions.json says of training in the newest start.
Json newest_training(const Json& table) {
    const Json number = table.value("current", Json());
    for (const Json& each : table.value("conditions", Json::array()))
        if (each.value("number", Json()) == number) return each.value("training", Json::object());
    return Json::object();
}

/// The crop of the shards that the run names, if they are still there and still those.
std::string crop_of_shards(const SearchedRun& run) {
    try {
        const Catalogue catalogue = read_catalogue(run.config.training.shards);
        if (catalogue.digest == run.data_digest) return name_of(catalogue.crop);
    } catch (const Error&) {
    }
    return {};
}

/// Of the metrics val_rmse_NAME_UNIT those of targets: confirming adds three to val_rmse itself.
std::set<std::string> targets_of(const Metrics& metrics) {
    const std::string prefix = "val_rmse_";
    std::set<std::string> targets;
    for (const auto& each : metrics) {
        if (each.first.rfind(prefix, 0) != 0) continue;
        const std::string name = each.first.substr(prefix.size());
        const auto ends_with = [&](const std::string& end) {
            return name == end ||
                   (name.size() > end.size() + 1 &&
                    name.compare(name.size() - end.size() - 1, std::string::npos, '_' + end) == 0);
        };
        if (!ends_with("n") && !ends_with("sd") && !ends_with("se")) targets.insert(name);
    }
    return targets;
}

}  // namespace

SearchedRun searched_run(const std::string& run_dir) {
    SearchedRun run;
    run.config = apps::read_old_config(run_dir + "/config.ini");
    try {
        const Json provenance = kept(run_dir + "/provenance.json");
        const Json training = newest_training(kept(run_dir + "/conditions.json"));
        run.data_digest = training.value("data", provenance.value("data", ""));
        run.shortest_line = number_in<int>(training.value("shortest-line", "")).value_or(0);
        run.crop = provenance.value("crop", "");
    } catch (const Json::exception& error) {
        throw CorruptState(fmt::format("the records of the run in '{}' are damaged", run_dir),
                           error.what(), "restore the folder from a copy");
    }
    if (run.crop.empty()) run.crop = crop_of_shards(run);
    return run;
}

void take_rules(const SearchedRun& run, StoredNetwork& network) {
    const TrainingSettings& training = run.config.training;
    network.rules.margin = training.margin;
    network.rules.short_lines = training.short_lines;
    network.rules.shortest_line = run.shortest_line;
    network.rules.validation_windows = training.validation_windows;
    network.rules.augment = training.augment;
    network.data_digest = run.data_digest;
    network.rules_known = !run.crop.empty();
    if (network.rules_known) network.rules.crop = crop_from(run.crop);
}

void require_same_kind(const SearchedRun& run, const Selection& member, const Dataset& dataset,
                       const std::string& shards) {
    const Catalogue& catalogue = dataset.catalogue();
    std::set<std::string> targets;
    for (const Target& target : catalogue.targets) targets.insert(metric_name(target));
    const std::set<std::string> searched = targets_of(member.metrics);
    if (!searched.empty() && searched != targets)
        throw ConfigError(fmt::format("the shards in '{}' have the targets {}", shards,
                                      printable(fmt::format("{}", fmt::join(targets, ", ")))),
                          fmt::format("the design was searched for {}",
                                      printable(fmt::format("{}", fmt::join(searched, ", ")))),
                          "give the shards of the search, or train the design with --spec");
    if (!run.crop.empty() && run.crop != name_of(catalogue.crop))
        throw ConfigError(
            fmt::format("the shards in '{}' have the crop '{}'", shards, name_of(catalogue.crop)),
            fmt::format("the design was searched on '{}'", printable(run.crop)),
            "give the shards of the search, or train the design with --spec");
    if (!run.data_digest.empty() && run.data_digest != dataset.digest())
        log::warning("the shards in '{}' are not those of the search: errors cannot be compared",
                     shards);
}

}  // namespace edgeloop
