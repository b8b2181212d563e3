#include "table_problems.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evolution/hypervolume.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>

namespace edgeloop {
namespace {

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// Columns as their names say: X_eN is X after N epochs, X_ms is measured.
TableDescription described_by_names(const std::string& path) {
    TableDescription description;
    for (const std::string& name : table_heading(path)) {
        if (ends_with(name, "_ms")) description.measured.push_back(name);
        const std::size_t mark = name.rfind("_e");
        if (mark == std::string::npos || mark == 0) continue;
        const auto epochs = number_in<int>(std::string_view(name).substr(mark + 2));
        if (epochs && *epochs > 0) description.fidelities[name.substr(0, mark)][*epochs] = name;
    }
    return description;
}

/// Of the whole table: the worst of each objective is where a result is worth nothing.
void know_truth(TableProblem& problem) {
    const std::vector<double>& errors = problem.table->column(problem.error_column);
    const std::vector<double>& latencies = problem.table->column(problem.latency_column);
    problem.reference = {*std::max_element(errors.begin(), errors.end()),
                         *std::max_element(latencies.begin(), latencies.end())};
    Points points;
    for (std::size_t row = 0; row < errors.size(); ++row)
        points.push_back({errors[row], latencies[row]});
    problem.true_volume = hypervolume(points, {problem.reference.first, problem.reference.second});
}

std::vector<TableProblem> problems_of(const std::string& path) {
    const std::string beside = description_beside(path);
    const bool described = std::filesystem::exists(beside);
    const TableDescription description =
        described ? read_table_description(beside) : described_by_names(path);
    const auto table = std::make_shared<const DesignTable>(DesignTable::read(path, description));
    std::string stem = std::filesystem::path(path).filename();
    stem = stem.substr(0, stem.find(".tsv"));
    std::vector<TableProblem> problems;
    for (const TableMetric& error : table->metrics()) {
        if (error.source != Source::training) continue;
        for (const TableMetric& latency : table->metrics()) {
            if (latency.source != Source::measuring) continue;
            TableProblem problem;
            problem.name = stem + ":" + error.name + ":" + latency.name;
            problem.table = table;
            problem.error = error.name;
            problem.latency = latency.name;
            problem.error_column = *error.column(0);
            problem.latency_column = *latency.column(0);
            problems.push_back(std::move(problem));
        }
    }
    return problems;
}

/// The files among the paths, and those in the folders.
std::vector<std::string> table_files(const std::vector<std::string>& tables) {
    std::vector<std::string> files;
    for (const std::string& path : tables) {
        if (!std::filesystem::is_directory(path)) {
            files.push_back(path);
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator(path))
            if (ends_with(entry.path(), ".tsv") || ends_with(entry.path(), ".tsv.gz"))
                files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

bool is_known_after(const TableProblem& problem, const std::vector<int>& epochs) {
    const TableMetric& error = *problem.table->metric(problem.error);
    return std::all_of(epochs.begin(), epochs.end(),
                       [&](int each) { return error.columns.count(each) > 0; });
}

}  // namespace

std::vector<TableProblem> table_problems(const std::vector<std::string>& tables,
                                         const std::string& part, const std::vector<int>& epochs) {
    std::vector<TableProblem> problems;
    for (const std::string& file : table_files(tables))
        for (TableProblem& problem : problems_of(file))
            if (problem.name.find(part) != std::string::npos && is_known_after(problem, epochs))
                problems.push_back(std::move(problem));
    for (TableProblem& problem : problems) know_truth(problem);
    if (problems.empty())
        throw ConfigError(
            "there is no problem",
            "a problem is an error, with a column for each rung, and a measured column",
            "name the folder of a table, or describe its columns (README.md)");
    return problems;
}

}  // namespace edgeloop
