#include "store/tables.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/store/run_directory.hpp"

#include <functional>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

using Row = CompletedCandidate;

struct Column {
    std::string name;
    std::function<std::string(const Row&)> text;  ///< of its cell, as it is
};

Column metric(const std::string& name) {
    return {name, [name](const Row& row) {
                const auto found = row.metrics.find(name);
                return found == row.metrics.end() ? std::string() : shortest(found->second);
            }};
}

// Real genes with all their digits, so that a row can be evaluated again.
void add_genes(std::vector<Column>& columns, const SearchSpace& space) {
    const auto texts = std::make_shared<std::vector<std::string>>();  // of the row at hand
    for (std::size_t i = 0; i < space.variables().size(); ++i) {
        const Variable& variable = space.variables()[i];
        const bool real = !variable.traits().is_whole;
        columns.push_back({variable.name, [=, &space](const Row& row) {
                               const Genome& genome = row.candidate.genome;
                               if (i == 0) *texts = space.describe(genome);
                               const std::string& text = texts->at(i);  // empty: not active
                               return real && !text.empty() ? shortest(genome.genes[i]) : text;
                           }});
    }
}

/// The columns that all tables have: objectives, genes, other metrics, conditions, device.
void add_design(std::vector<Column>& columns, const TableLayout& layout,
                const std::vector<const Row*>& rows) {
    for (const std::string& name : layout.objectives) columns.push_back(metric(name));
    add_genes(columns, *layout.space);
    std::set<std::string> others;
    for (const Row* row : rows)
        for (const auto& each : row->metrics)
            if (!has_meaning(each.first, Meaning::cost)) others.insert(each.first);
    for (const std::string& name : layout.objectives) others.erase(name);
    for (const std::string& name : others) columns.push_back(metric(name));
    columns.push_back({"conditions", [&layout](const Row& row) {
                           const auto found = layout.conditions.find(row.candidate.id);
                           return found == layout.conditions.end()
                                      ? std::string()
                                      : fmt::format("{}", fmt::join(found->second, "+"));
                       }});
    for (const auto& [device_class, devices] : layout.devices)
        columns.push_back(
            {metric_of_class("device", device_class), [&devices = devices](const Row& row) {
                 const auto found = devices.find(row.candidate.id);
                 return found == devices.end() ? std::string() : found->second;
             }});
}

std::string table(const std::vector<Column>& columns, const std::vector<const Row*>& rows) {
    std::string out;
    for (const Column& column : columns) out += csv_cell(column.name) + ',';
    out.back() = '\n';
    for (const Row* row : rows) {
        for (const Column& column : columns) out += csv_cell(column.text(*row)) + ',';
        out.back() = '\n';
    }
    return out;
}

Column id() {
    return {"id", [](const Row& row) { return std::to_string(row.candidate.id); }};
}

}  // namespace

std::string pareto_table(const TableLayout& layout, const std::vector<ArchiveMember>& front) {
    std::vector<const Row*> rows;
    for (const ArchiveMember& member : front) rows.push_back(&member.completed);
    std::vector<Column> columns{id()};
    add_design(columns, layout, rows);
    return table(columns, rows);
}

std::string evaluations_table(const TableLayout& layout, const std::vector<const Row*>& rows) {
    std::vector<Column> columns{id(),
                                {"status", [](const Row& row) { return to_string(row.status); }}};
    add_design(columns, layout, rows);
    const std::vector<Column> last = {
        {"generation", [](const Row& row) { return std::to_string(row.candidate.generation); }},
        {"epochs", [](const Row& row) { return std::to_string(row.candidate.epochs); }},
        {"training_seconds", [](const Row& row) { return shortest(row.training_seconds); }},
        {"measuring_seconds", [](const Row& row) { return shortest(row.measuring_seconds); }},
        {"reason", [](const Row& row) { return row.reason; }}};
    columns.insert(columns.end(), last.begin(), last.end());
    return table(columns, rows);
}

std::string progress_header(const TableLayout& layout) {
    std::string out = "time_ms,done,front,hypervolume";
    for (const std::string& objective : layout.objectives)
        out += ',' + csv_cell("best_" + objective);
    return out + '\n';
}

std::string progress_row(const TableLayout& layout, const Progress& progress,
                         std::int64_t time_ms) {
    std::string out = fmt::format("{},{},{},", time_ms, progress.done, progress.front);
    if (progress.hypervolume) out += shortest(*progress.hypervolume);
    for (const std::string& objective : layout.objectives) {
        const auto found = progress.best.find(objective);
        out += ',';
        if (found != progress.best.end()) out += shortest(found->second);
    }
    return out + '\n';
}

Json status_json(const Progress& progress) {
    Json json = {{"phase", progress.phase},
                 {"done", progress.done},
                 {"total", progress.total > 0 ? Json(progress.total) : Json()},
                 {"effort", progress.effort ? Json{{"unit", progress.effort->unit},
                                                   {"spent", progress.effort->spent},
                                                   {"total", progress.effort->total}}
                                            : Json()},
                 {"running", progress.running},
                 {"generation", progress.generation},
                 {"best", progress.best},
                 {"front", progress.front},
                 {"confirmed", progress.confirmed},
                 {"confirming_trainings", progress.repeats},
                 {"hypervolume", progress.hypervolume ? Json(*progress.hypervolume) : Json()},
                 {"reference", progress.reference},
                 {"elapsed_s", progress.elapsed_seconds},
                 {"eta_s", progress.eta_seconds ? Json(*progress.eta_seconds) : Json()},
                 {"training_s", progress.training_seconds},
                 {"measuring_s", progress.measuring_seconds},
                 {"kept_bytes", progress.kept_bytes},
                 {"updated_ms", unix_milliseconds()}};
    if (progress.virtual_seconds) json["virtual_s"] = *progress.virtual_seconds;
    json["by_status"] = Json::object();
    for (const auto& [status, count] : progress.by_status)
        json["by_status"][to_string(status)] = count;
    if (progress.link)
        json["link"] = {{"state", progress.link->text},
                        {"up", progress.link->up},
                        {"devices", progress.link->devices}};
    return json;
}

}  // namespace edgeloop
