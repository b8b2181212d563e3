#include "edgeloop/report/export.hpp"

#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::report {
namespace {

/// A cell as JSON; null: missing. JSON has no infinities, which are text.
Json value_of(const Column& column, std::size_t row) {
    if (!column.is_number)
        return column.texts[row].empty() ? Json() : Json(printable(column.texts[row]));
    const double value = column.numbers[row];
    if (std::isnan(value)) return Json();
    return std::isfinite(value) ? Json(value) : Json(shortest(value));
}

std::string text_of(const Column& column, std::size_t row) {
    if (!column.is_number) return column.texts[row];
    return std::isnan(column.numbers[row]) ? std::string() : shortest(column.numbers[row]);
}

const Proposal* proposal_of(const RunView& run, std::size_t row) {
    const Column* id = run.find("id");
    if (id == nullptr || !id->is_number || !(id->numbers[row] >= 0)) return nullptr;
    const auto found = run.history.designs.find(static_cast<std::uint64_t>(id->numbers[row]));
    return found == run.history.designs.end() ? nullptr : &found->second;
}

/// Seconds since the run began; nothing: not known.
Json since_start(const RunView& run, std::int64_t time_ms) {
    return time_ms < 0 ? Json() : Json(1e-3 * static_cast<double>(time_ms - run.history.first_ms));
}

Json json_of(const std::map<std::string, double>& values) {
    Json json = Json::object();
    for (const auto& [name, value] : values)
        json[printable(name)] = std::isfinite(value) ? Json(value) : Json(shortest(value));
    return json;
}

Json json_of(const LearningCurve& curve) {
    Json json = {{"epoch", curve.epochs}};
    for (const auto& [name, values] : curve.metrics) {
        json[name] = Json::array();
        for (const double value : values)
            json[name].push_back(std::isfinite(value) ? Json(value) : Json());
    }
    return json;
}

Json json_of(const RunView& run, const Training& training) {
    Json json = {{"repeat", training.repeat},
                 {"status", training.end_ms < 0       ? "not ended"
                            : training.status.empty() ? "completed"
                                                      : training.status},
                 {"start_s", since_start(run, training.start_ms)},
                 {"end_s", since_start(run, training.end_ms)},
                 {"seconds", training.seconds},
                 {"metrics", json_of(training.metrics)}};
    if (!training.reason.empty()) json["reason"] = training.reason;
    if (!training.ranks.empty()) json["ranks"] = training.ranks;
    if (!training.curve.epochs.empty()) json["curve"] = json_of(training.curve);
    return json;
}

Json json_of(const RunView& run, const Measurement& measurement) {
    Json json = {{"device", measurement.device},
                 {"status", measurement.status.empty() ? "completed" : measurement.status},
                 {"end_s", since_start(run, measurement.end_ms)},
                 {"seconds", measurement.seconds},
                 {"metrics", json_of(measurement.metrics)}};
    if (!measurement.reason.empty()) json["reason"] = measurement.reason;
    if (!measurement.record.empty()) json["record"] = parse_kept_json(measurement.record);
    return json;
}

const char* group_of(Role role) {
    switch (role) {
        case Role::objective:
            return "objectives";
        case Role::gene:
            return "genes";
        case Role::metric:
            return "metrics";
        default:
            return "about";
    }
}

Json design_json(const RunView& run, std::size_t row, bool on_front) {
    Json json = {{"on_front", on_front}};
    for (const Column& column : run.columns) {
        Json value = value_of(column, row);
        if (value.is_null()) continue;
        if (column.role == Role::id && column.is_number)
            json[column.name] = static_cast<std::uint64_t>(column.numbers[row]);
        else if (column.role == Role::id || column.role == Role::status)
            json[column.name] = std::move(value);
        else
            json[group_of(column.role)][printable(column.name)] = std::move(value);
    }
    const Proposal* const proposal = proposal_of(run, row);
    if (proposal == nullptr) return json;
    json["parents"] = proposal->parents;
    json["proposed_s"] = since_start(run, proposal->proposed_ms);
    json["ended_s"] = since_start(run, proposal->ended_ms);
    if (!proposal->spec.empty()) json["spec"] = parse_kept_json(proposal->spec);
    return json;
}

}  // namespace

std::string export_csv(const RunView& run) {
    const std::set<std::size_t> front(run.front.begin(), run.front.end());
    std::string out;
    for (const Column& column : run.columns) out += csv_cell(column.name) + ',';
    out += "on_front,parents,proposed_s,ended_s\n";
    for (std::size_t row = 0; row < run.rows; ++row) {
        for (const Column& column : run.columns) out += csv_cell(text_of(column, row)) + ',';
        out += front.count(row) > 0 ? "1," : "0,";
        const Proposal* const proposal = proposal_of(run, row);
        const auto seconds = [&](std::int64_t time_ms) {
            const Json known = since_start(run, time_ms);
            return known.is_null() ? std::string() : shortest(known.get<double>());
        };
        if (proposal != nullptr)
            out += fmt::format("{},{},{}", fmt::join(proposal->parents, " "),
                               seconds(proposal->proposed_ms), seconds(proposal->ended_ms));
        else
            out += ",,";
        out += '\n';
    }
    return out;
}

std::string export_json(const RunView& run) {
    const std::set<std::size_t> front(run.front.begin(), run.front.end());
    std::map<std::uint64_t, Json> trainings, measurements;
    for (const Training& training : run.history.trainings)
        trainings[training.id].push_back(json_of(run, training));
    for (const Measurement& measurement : run.history.measurements)
        measurements[measurement.id].push_back(json_of(run, measurement));
    Json json = {{"format", "edgeloop-run"},
                 {"version", 1},
                 {"name", run.name},
                 {"objectives", run.objectives},
                 {"constraints", Json::array()},
                 {"status", run.status},
                 {"provenance", run.provenance},
                 {"conditions", run.conditions},
                 {"start_ms", run.history.first_ms},
                 {"remarks", run.remarks},
                 {"designs", Json::array()}};
    for (const Demand& demand : run.demands)
        json["constraints"].push_back({{"metric", printable(demand.metric)},
                                       {"relation", demand.relation},
                                       {"bound", demand.bound}});
    const Column* const id = run.find("id");
    for (std::size_t row = 0; row < run.rows; ++row) {
        Json design = design_json(run, row, front.count(row) > 0);
        if (id != nullptr && id->is_number && id->numbers[row] >= 0) {
            const auto number = static_cast<std::uint64_t>(id->numbers[row]);
            design["trainings"] = trainings.count(number) > 0 ? trainings[number] : Json::array();
            design["measurements"] =
                measurements.count(number) > 0 ? measurements[number] : Json::array();
        }
        json["designs"].push_back(std::move(design));
    }
    return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace edgeloop::report
