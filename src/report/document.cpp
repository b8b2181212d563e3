#include "report/document.hpp"

#include "report/encoder.hpp"
#include "report/events.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <unordered_map>

namespace edgeloop::report {
namespace {

// What of designs is kept in a page at most, in bytes before they are compressed.
constexpr std::size_t max_spec_bytes = 1'500'000, max_record_bytes = 400'000;
constexpr std::size_t max_with_layers = 80;

const char* name_of(Role role) {
    switch (role) {
        case Role::id:
            return "id";
        case Role::status:
            return "status";
        case Role::objective:
            return "objective";
        case Role::gene:
            return "gene";
        case Role::metric:
            return "metric";
        case Role::about:
            return "about";
    }
    return "about";
}

/// -1: smaller is better, 1: larger, 0: neither.
int better(const Column& column) {
    if (column.role == Role::objective) return -1;
    const Metric* metric = find_metric(column.name);
    if (column.role != Role::metric || metric == nullptr) return 0;
    return metric->meaning == Meaning::smaller_is_better  ? -1
           : metric->meaning == Meaning::larger_is_better ? 1
                                                          : 0;
}

/// Makes the document of one run.
class DocumentMaker {
  public:
    DocumentMaker(const RunView& run, const PageOptions& options) : run_(run), options_(options) {
        const Column* id = run.find("id");
        for (std::size_t row = 0; id != nullptr && id->is_number && row < run.rows; ++row)
            rows_[static_cast<std::uint64_t>(std::max(0.0, id->numbers[row]))] = row;
        const std::set<std::size_t> front(run.front.begin(), run.front.end());
        first_rows_ = run.front;  // whose details matter most
        for (std::size_t row = 0; row < run.rows; ++row)
            if (front.count(row) == 0) first_rows_.push_back(row);
    }

    [[nodiscard]] std::string packed(const std::vector<RunView>& others) {
        reference_ = common(others);
        Json json = {{"version", 1},
                     {"name", run_.name},
                     {"folder", printable(run_.folder)},
                     {"made_ms", unix_milliseconds()},
                     {"by", build_description()},
                     {"reload_s", options_.reload_seconds},
                     {"real_time_ms", options_.real_time_ms},
                     {"objectives", printable_all(run_.objectives)},
                     {"status", run_.status},
                     {"provenance", run_.provenance},
                     {"conditions", run_.conditions},
                     {"config", run_.config},
                     {"remarks", run_.remarks},
                     {"front", run_.front},
                     {"first_ms", run_.history.first_ms},
                     {"last_ms", run_.history.last_ms},
                     {"given", given_rows()}};
        for (const Demand& demand : run_.demands)
            json["demands"].push_back({{"metric", printable(demand.metric)},
                                       {"relation", demand.relation},
                                       {"bound", demand.bound}});
        json["designs"] = designs();
        EventTables events(run_, encoder_, rows_);
        json["trainings"] = events.trainings();
        json["measurements"] = events.measurements();
        json["notes"] = events.notes();
        json["curves"] = events.curves(first_rows_);
        json["progress"] = progress_of(run_);
        json["growth"] = growth_table(run_);
        json["importance"] = importance();
        json["specs"] = specs();
        json["records"] = records();
        json["compare"] = Json::array();
        for (const RunView& other : others) json["compare"].push_back(compared(other));
        if (!others.empty()) json["hypervolume"] = number(front_hypervolume(run_, reference_));
        return encoder_.packed(json);
    }

  private:
    static std::vector<std::string> printable_all(std::vector<std::string> texts) {
        for (std::string& text : texts) text = printable(text);
        return texts;
    }
    static Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

    Json designs() {
        Json columns = Json::array();
        for (const Column& column : run_.columns) {
            Json json = column.is_number ? encoder_.named(column.name, column.numbers)
                                         : encoder_.named(column.name, column.texts);
            const Metric* metric = find_metric(column.name);
            json["role"] = name_of(column.role);
            json["unit"] = metric == nullptr ? "" : std::string(metric->unit);
            json["better"] = better(column);
            columns.push_back(std::move(json));
        }
        std::vector<double> proposed(run_.rows, missing), ended(run_.rows, missing);
        std::vector<double> mother(run_.rows, missing), father(run_.rows, missing);
        for (const auto& [id, design] : run_.history.designs) {
            const auto row = rows_.find(id);
            if (row == rows_.end()) continue;
            if (design.proposed_ms >= 0) proposed[row->second] = since_start(design.proposed_ms);
            if (design.ended_ms >= 0) ended[row->second] = since_start(design.ended_ms);
            if (design.parents.empty()) continue;
            mother[row->second] = static_cast<double>(design.parents.front());
            father[row->second] = static_cast<double>(design.parents.back());
        }
        return {{"rows", run_.rows},
                {"columns", columns},
                {"times",
                 {encoder_.named("proposed", proposed), encoder_.named("ended", ended),
                  encoder_.named("mother", mother), encoder_.named("father", father)}}};
    }

    [[nodiscard]] double since_start(std::int64_t time_ms) const {
        return static_cast<double>(time_ms - run_.history.first_ms);
    }
    Json progress_of(const RunView& run) {
        Json columns = Json::array();
        for (std::size_t i = 0; i < run.progress.names.size(); ++i)
            columns.push_back(encoder_.named(run.progress.names[i], run.progress.columns[i]));
        const std::size_t rows = columns.empty() ? 0 : run.progress.columns[0].size();
        return {{"rows", rows}, {"columns", columns}};
    }

    Json growth_table(const RunView& run) {
        const Growth growth = growth_of(run);
        Json columns = {encoder_.named("done", growth.done),
                        encoder_.named("seconds", growth.seconds),
                        encoder_.named("hypervolume", growth.hypervolume)};
        for (std::size_t k = 0; k < run.objectives.size(); ++k)
            columns.push_back(encoder_.named("best_" + run.objectives[k], growth.best[k]));
        return {{"rows", growth.done.size()}, {"columns", columns}};
    }

    Json importance() {
        Json all = Json::array();
        for (const Importance& each : importances(run_)) {
            Json json = {{"objective", printable(each.objective)},
                         {"in_logarithm", each.in_logarithm},
                         {"designs", each.designs},
                         {"r2", number(each.r2)},
                         {"genes", each.genes},
                         {"shares", each.shares},
                         {"errors", each.errors}};
            // Seven digits are enough for what is predicted.
            std::vector<double> predicted;
            for (const double value : each.predicted)
                predicted.push_back(static_cast<double>(static_cast<float>(value)));
            if (!predicted.empty()) json["predicted"] = encoder_.numbers(predicted);
            all.push_back(std::move(json));
        }
        return all;
    }

    /// Designs that were given (--seed-specs): the first of the first generation.
    [[nodiscard]] std::vector<std::size_t> given_rows() const {
        std::vector<std::size_t> given;
        const Json path = run_.conditions.value("search", Json::object());
        std::istringstream words(path.is_object() && path.contains("seed-specs") &&
                                         path["seed-specs"].is_string()
                                     ? path["seed-specs"].get<std::string>()
                                     : std::string());
        std::size_t count = 0;
        for (std::string word; words >> word;) ++count;
        for (const auto& [id, design] : run_.history.designs)
            if (design.generation == 0 && design.index < count && rows_.count(id) > 0)
                given.push_back(rows_.at(id));
        return given;
    }

    [[nodiscard]] const Proposal* proposal_of(std::size_t row) const {
        const Column* id = run_.find("id");
        if (id == nullptr || !id->is_number) return nullptr;
        const auto found =
            run_.history.designs.find(static_cast<std::uint64_t>(std::max(0.0, id->numbers[row])));
        return found == run_.history.designs.end() ? nullptr : &found->second;
    }

    Json specs() {
        Json json = {{"rows", Json::array()}, {"specs", Json::array()}, {"layers", Json::object()}};
        std::size_t bytes = 0, with_layers = 0;
        for (const std::size_t row : first_rows_) {
            const Proposal* proposal = proposal_of(row);
            if (proposal == nullptr || proposal->spec.empty()) continue;
            bytes += proposal->spec.size();
            if (bytes > max_spec_bytes) break;
            const Json spec = parse_kept_json(proposal->spec);
            json["rows"].push_back(row);
            json["specs"].push_back(spec);
            if (with_layers++ < max_with_layers)
                if (Json layers = layers_of(spec); !layers.empty())
                    json["layers"][std::to_string(row)] = std::move(layers);
        }
        return json;
    }

    /// What each layer costs; empty: this release cannot build the design.
    static Json layers_of(const Json& spec) {
        Json layers = Json::array();
        try {
            for (const LayerCounts& layer :
                 count(ArchitectureSpec::from_json(spec, "journal")).layers)
                layers.push_back(
                    {layer.name, layer.kind, layer.shape, layer.parameters, layer.flops});
        } catch (const Error&) {
            return Json::array();
        }
        return layers;
    }

    /// Conditions of the newest measurement of each design.
    Json records() {
        std::unordered_map<std::size_t, const Measurement*> newest;
        for (const Measurement& each : run_.history.measurements)
            if (const auto row = rows_.find(each.id); row != rows_.end() && !each.record.empty())
                newest[row->second] = &each;
        Json json = Json::object();
        std::size_t bytes = 0;
        for (const std::size_t row : first_rows_) {
            const auto found = newest.find(row);
            if (found == newest.end()) continue;
            bytes += found->second->record.size();
            if (bytes > max_record_bytes) break;
            json[std::to_string(row)] = parse_kept_json(found->second->record);
        }
        return json;
    }

    /// A reference point for all runs: that of the first which has one.
    [[nodiscard]] std::vector<double> common(const std::vector<RunView>& others) const {
        std::vector<double> reference = reference_of(run_);
        for (const RunView& other : others)
            if (reference.empty() && other.objectives == run_.objectives)
                reference = reference_of(other);
        return reference;
    }

    Json compared(const RunView& other) {
        Json points = Json::array();
        for (const std::string& name : other.objectives) {
            std::vector<double> values;
            if (const Column* column = other.find(name); column != nullptr && column->is_number)
                for (const std::size_t row : other.front) values.push_back(column->numbers[row]);
            points.push_back(encoder_.named(name, values));
        }
        std::vector<std::string> ids;
        if (const Column* id = other.find("id"); id != nullptr && id->is_number)
            for (const std::size_t row : other.front) ids.push_back(shortest(id->numbers[row]));
        const bool same = other.objectives == run_.objectives;
        return {{"name", other.name},
                {"folder", printable(other.folder)},
                {"objectives", printable_all(other.objectives)},
                {"status", other.status},
                {"rows", other.rows},
                {"ids", ids},
                {"front", {{"rows", other.front.size()}, {"columns", points}}},
                {"hypervolume", same ? number(front_hypervolume(other, reference_)) : Json()},
                {"growth", growth_table(other)}};
    }

    const RunView& run_;
    const PageOptions& options_;
    Encoder encoder_;
    std::vector<double> reference_;  ///< for the hypervolumes of all runs
    RowsById rows_;
    std::vector<std::size_t> first_rows_;  ///< all, those of the front first
};

}  // namespace

std::string document(const RunView& run, const std::vector<RunView>& others,
                     const PageOptions& options) {
    return DocumentMaker(run, options).packed(others);
}

}  // namespace edgeloop::report
