#include "edgeloop/report/run_view.hpp"

#include "report/history.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/line_reader.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/constraints.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <unordered_map>

#include <fmt/format.h>

namespace edgeloop::report {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_columns = 2000;
constexpr std::uint64_t max_document = 16u << 20;
constexpr std::size_t max_progress = 1'000'000;

struct TextTable {
    std::vector<std::string> names;
    std::vector<std::vector<std::string>> rows;
};

TextTable read_table(const std::string& path, std::size_t max_rows) {
    TextTable table;
    if (!fs::exists(path)) return table;
    LineReader lines(path);
    while (const auto line = lines.next()) {
        if (lines.number() == 1) {
            table.names = csv_row(*line);
            if (table.names.size() > max_columns)
                throw ConfigError(fmt::format("'{}' has {} columns", path, table.names.size()),
                                  fmt::format("{} at most can be shown", max_columns));
            continue;
        }
        std::vector<std::string> row = csv_row(*line);
        if (row.size() != table.names.size()) continue;  // being written, or cut off by a crash
        table.rows.push_back(std::move(row));
        if (table.rows.size() > max_rows)
            throw ConfigError(fmt::format("'{}' has more than {} rows", path, max_rows),
                              "a page of so many cannot be drawn");
    }
    return table;
}

/// A document of the run, or an empty object with a remark.
Json read_document(const std::string& path, std::vector<std::string>& remarks) {
    const std::string name = fs::path(path).filename();
    if (!fs::exists(path)) {
        remarks.push_back(name + " is not there");
        return Json::object();
    }
    try {
        Json json = parse_json(read_file(path, max_document), name, deepest_kept_json);
        if (json.is_object()) return with_printable_texts(json);
        remarks.push_back(name + " is no object");
    } catch (const ConfigError& error) {
        remarks.push_back(name + " cannot be read: " + printable(error.problem()));
    }
    return Json::object();
}

void read_goals(RunView& run) {
    std::string goals;
    if (const auto identity = run.provenance.find("identity");
        identity != run.provenance.end() && identity->is_object())
        if (const auto text = identity->find("objectives");
            text != identity->end() && text->is_string())
            goals = text->get<std::string>();
    std::istringstream parts(goals);
    std::string part;
    std::getline(parts, part, ';');
    std::istringstream names(part);
    for (std::string name; std::getline(names, name, ',');) run.objectives.push_back(name);
    while (std::getline(parts, part, ';')) {
        try {
            const Constraint constraint = parse_constraint(part);
            run.demands.push_back(
                {constraint.metric,
                 constraint.relation == Relation::at_most ? "<=" : ">=", constraint.bound});
        } catch (const ConfigError&) {
            run.remarks.push_back("a constraint is not understood: " + printable(part));
        }
    }
    const std::string best = "best_";  // of a run without provenance: the columns of progress.csv
    if (run.objectives.empty())
        for (const std::string& name : run.progress.names)
            if (name.rfind(best, 0) == 0) run.objectives.push_back(name.substr(best.size()));
}

NumberTable numbers_of(const TextTable& texts) {
    NumberTable table;
    for (std::size_t i = 0; i < texts.names.size(); ++i) {
        table.names.push_back(texts.names[i]);
        std::vector<double>& values = table.columns.emplace_back();
        for (const auto& row : texts.rows)
            values.push_back(number_in<double>(row[i]).value_or(missing));
    }
    return table;
}

/// Turns the cells of a column into numbers if all that are not empty are some.
void settle(Column& column) {
    column.numbers.assign(column.texts.size(), missing);
    for (std::size_t i = 0; i < column.texts.size(); ++i) {
        if (column.texts[i].empty()) continue;
        const auto number = number_in<double>(column.texts[i]);
        if (!number) {
            column.is_number = false;
            column.numbers.clear();
            for (std::string& text : column.texts) text = printable(text);
            return;
        }
        column.numbers[i] = *number;
    }
    column.texts.clear();
}

/// Which columns are genes: those that follow the objectives, as many as the journal's designs
/// have, or else up to the first that is known to be something else.
std::vector<Role> roles_of(const TextTable& table, const RunView& run) {
    std::vector<Role> roles;
    std::size_t genes = 0;
    bool after_genes = false;
    for (const std::string& name : table.names) {
        const bool is_objective =
            std::find(run.objectives.begin(), run.objectives.end(), name) != run.objectives.end();
        const bool is_about = name == "conditions" || split_metric(name).metric == "device" ||
                              name == "generation" || name == "epochs" || name == "reason";
        after_genes = after_genes || is_about ||
                      (run.history.genes > 0 ? genes == run.history.genes
                                             : !is_objective && find_metric(name) != nullptr);
        if (roles.empty())
            roles.push_back(Role::id);
        else if (roles.size() == 1)
            roles.push_back(Role::status);
        else if (is_objective)
            roles.push_back(Role::objective);
        else if (!after_genes)
            roles.push_back(Role::gene), ++genes;
        else
            roles.push_back(is_about || has_meaning(name, Meaning::cost) ? Role::about
                                                                         : Role::metric);
    }
    return roles;
}

std::string text_of(std::uint64_t value) { return std::to_string(value); }

/// Rows of designs that the journal has and the tables, which are written now and then, do not.
void add_newer_designs(TextTable& table, const RunView& run) {
    std::unordered_map<std::string, std::size_t> known;
    if (table.names.empty()) {
        table.names = {"id", "status"};
        table.names.insert(table.names.end(), run.objectives.begin(), run.objectives.end());
        for (const char* name :
             {"generation", "epochs", "training_seconds", "measuring_seconds", "reason"})
            table.names.emplace_back(name);
    }
    for (std::size_t i = 0; i < table.rows.size(); ++i) known[table.rows[i][0]] = i;
    for (const auto& [id, design] : run.history.designs) {
        if (design.status.empty() || known.count(text_of(id)) > 0) continue;
        std::vector<std::string>& row = table.rows.emplace_back(table.names.size());
        const std::map<std::string, std::string> about{
            {"id", text_of(id)},
            {"status", design.status},
            {"generation", text_of(design.generation)},
            {"epochs", std::to_string(design.epochs)},
            {"training_seconds", shortest(design.training_seconds)},
            {"measuring_seconds", shortest(design.measuring_seconds)},
            {"reason", design.reason}};
        for (std::size_t k = 0; k < row.size(); ++k) {
            if (const auto found = about.find(table.names[k]); found != about.end())
                row[k] = found->second;
            else if (const auto metric = design.metrics.find(table.names[k]);
                     metric != design.metrics.end())
                row[k] = shortest(metric->second);
        }
    }
}

void fill_columns(RunView& run, const TextTable& table) {
    const std::vector<Role> roles = roles_of(table, run);
    run.rows = table.rows.size();
    for (std::size_t i = 0; i < table.names.size(); ++i) {
        Column& column = run.columns.emplace_back();
        column.name = printable(table.names[i]);
        column.role = roles[i];
        for (const auto& row : table.rows) column.texts.push_back(row[i]);
        settle(column);
    }
}

void find_front(RunView& run, const TextTable& table, const TextTable& front) {
    std::unordered_map<std::string, std::size_t> rows;
    for (std::size_t i = 0; i < table.rows.size(); ++i) rows[table.rows[i][0]] = i;
    for (const auto& row : front.rows)
        if (const auto found = rows.find(row[0]); found != rows.end())
            run.front.push_back(found->second);
}

void read_journal_of(RunView& run) {
    const std::string path = run.folder + "/journal.jsonl";
    if (!fs::exists(path)) {
        run.remarks.emplace_back("journal.jsonl is not there: no times, trainings and designs");
        return;
    }
    run.history = read_history(path);
    if (run.history.damaged_lines > 0)
        run.remarks.push_back(fmt::format("journal.jsonl: {} left out, damaged",
                                          plural(run.history.damaged_lines, "line")));
}

std::string name_of(const std::string& folder) {
    std::error_code failed;
    fs::path path = fs::absolute(folder, failed).lexically_normal();
    if (path.filename().empty()) path = path.parent_path();
    return printable(path.filename().string());
}

}  // namespace

const Column* RunView::find(const std::string& column) const {
    const auto found = std::find_if(columns.begin(), columns.end(),
                                    [&](const Column& each) { return each.name == column; });
    return found == columns.end() ? nullptr : &*found;
}

std::vector<std::vector<double>> RunView::objective_values() const {
    std::vector<std::vector<double>> values(rows);
    std::vector<const Column*> wanted;
    for (const std::string& objective : objectives) {
        wanted.push_back(find(objective));
        if (wanted.back() == nullptr || !wanted.back()->is_number) return values;
    }
    for (std::size_t row = 0; row < rows; ++row) {
        for (const Column* column : wanted)
            if (std::isfinite(column->numbers[row])) values[row].push_back(column->numbers[row]);
        if (values[row].size() < wanted.size()) values[row].clear();
    }
    return values;
}

std::vector<bool> RunView::completed() const {
    std::vector<bool> done(rows);
    const Column* column = find("status");
    if (column == nullptr || column->is_number) return done;
    for (std::size_t row = 0; row < rows; ++row) done[row] = column->texts[row] == "completed";
    return done;
}

RunView read_run(const std::string& folder) {
    RunView run;
    run.folder = folder;
    run.name = name_of(folder);
    const auto inside = [&](const char* name) { return folder + '/' + name; };
    bool holds_run = false;
    for (const char* name : {"journal.jsonl", "evaluations.csv", "provenance.json"})
        holds_run = holds_run || fs::exists(inside(name));
    if (!holds_run)
        throw ConfigError(fmt::format("there is no run in '{}'", folder), {},
                          "name a folder given as --run-dir before");
    run.provenance = read_document(inside("provenance.json"), run.remarks);
    run.status = read_document(inside("status.json"), run.remarks);
    run.conditions = read_document(inside("conditions.json"), run.remarks);
    if (fs::exists(inside("config.ini")))
        run.config = printable_lines(read_file(inside("config.ini"), max_document));
    // The tables first: what ends meanwhile is in the journal, and added.
    TextTable table = read_table(inside("evaluations.csv"), max_designs);
    const TextTable front = read_table(inside("pareto.csv"), max_designs);
    run.progress = numbers_of(read_table(inside("progress.csv"), max_progress));
    read_journal_of(run);
    read_goals(run);
    add_newer_designs(table, run);
    find_front(run, table, front);
    fill_columns(run, table);
    return run;
}

}  // namespace edgeloop::report
