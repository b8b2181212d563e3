// Searches that train nothing: analytic problems and tables of finished evaluations.
#include "apps/search_task.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/search/analytic.hpp"
#include "edgeloop/table/outcomes.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::apps {
namespace {

/// A task whose candidates have no spec, and whose results are exact.
SearchTask exact_task(const SearchConfig& config, const SearchSpace& space,
                      std::function<Outcome(const Candidate&)> evaluate) {
    SearchTask task{space, config.engine};
    task.engine.analytic = true;
    task.engine.confirm = 0;
    task.make_worker = [evaluate]() -> WorkerFunction {
        return [evaluate](const Candidate& candidate, const Communicator&, const CancelToken&) {
            return evaluate(candidate);
        };
    };
    task.evaluate = std::move(evaluate);
    return task;
}

SearchTask analytic_task(const SearchConfig& config) {
    const auto problem = std::make_shared<const Problem>(find_problem(config.problem));
    SearchTask task = exact_task(config, problem->space(), [problem](const Candidate& candidate) {
        return evaluate(*problem, candidate);
    });
    task.notional_seconds = [problem](const Candidate& candidate) {
        const auto upto = [&](int epochs) {
            return problem->evaluate(candidate.genome, epochs).training_seconds;
        };
        const double whole = upto(candidate.epochs);
        if (whole <= 0) return double(std::max(1, candidate.epochs) - candidate.trained_epochs);
        return candidate.trained_epochs > 0 ? whole - upto(candidate.trained_epochs) : whole;
    };
    // The problem's own constraints hold beside those of the user.
    Goals& goals = task.engine.goals;
    const Goals own = goals_of(*problem);
    if (goals.objectives.empty()) {
        goals.objectives = own.objectives;
        if (goals.reference.empty()) goals.reference = own.reference;
    }
    goals.constraints.insert(goals.constraints.end(), own.constraints.begin(),
                             own.constraints.end());
    require_known_metrics(goals, own.wanted());
    return task;
}

/// The description beside the table or of --table-spec, and what the options say besides.
TableDescription description_of(const SearchConfig& config, const std::string& table) {
    TableDescription description;
    const std::string beside = description_beside(table);
    if (!config.table_spec.empty())
        description = read_table_description(config.table_spec);
    else if (std::filesystem::exists(beside))
        description = read_table_description(beside);
    for (const std::string& gene : config.genes)
        description.more_genes.push_back(table_gene_from(gene));
    const auto add = [](std::vector<std::string>& to, const std::vector<std::string>& names) {
        for (const std::string& name : names)
            if (std::count(to.begin(), to.end(), name) == 0) to.push_back(name);
    };
    add(description.measured, config.measured);
    add(description.counted, config.counted);
    for (const std::string& fidelity : config.fidelities) add_fidelity(fidelity, description);
    if (!config.epoch_seconds.empty()) description.epoch_seconds = config.epoch_seconds;
    return description;
}

bool has_fidelities(const TableMetric& metric) { return metric.columns.count(0) == 0; }

/// Epochs that a candidate without a ladder trains for: --epochs, or the most that the goals have
/// columns for.
/// @throws ConfigError  a metric of the goals has no column for these epochs or for a rung.
int settled_epochs(const SearchConfig& config, const DesignTable& table, const Goals& goals) {
    std::vector<int> budgets = config.engine.ladder.epochs;
    int epochs = config.epochs;
    bool any = false;
    for (const std::string& name : goals.wanted()) {
        const TableMetric& metric = *table.metric(name);
        if (!has_fidelities(metric)) continue;
        any = true;
        if (config.epochs == 0) epochs = std::max(epochs, metric.columns.rbegin()->first);
    }
    if (!budgets.empty() && !any)
        throw ConfigError("--rungs needs an objective that training for fewer epochs gives too",
                          "no objective has columns by epochs",
                          "name them, e.g. --fidelities error@12=error_e12 error@200=error_e200");
    if (budgets.empty() && epochs > 0) budgets = {epochs};
    for (const std::string& name : goals.wanted()) {
        const TableMetric& metric = *table.metric(name);
        if (!has_fidelities(metric)) continue;
        for (const int budget : budgets) {
            if (metric.columns.count(budget) > 0) continue;
            std::vector<int> known;
            for (const auto& each : metric.columns) known.push_back(each.first);
            throw ConfigError(
                fmt::format("'{}' has no column for {} epochs", name, budget),
                fmt::format("it has columns for {}", fmt::join(known, ", ")),
                "take --rungs and --epochs from these, or name a column with --fidelities");
        }
    }
    return epochs;
}

std::string about(const DesignTable& table, const std::string& path) {
    std::vector<std::string> genes;
    for (const Variable& variable : table.space().variables()) genes.push_back(variable.name);
    std::string text =
        fmt::format("table '{}': {} of {:.12g} combinations of {}", path,
                    plural(table.size(), "design"), table.space().size(), fmt::join(genes, ", "));
    for (const auto& [source, what] : {std::pair(Source::training, "trained"),
                                       {Source::measuring, "measured"},
                                       {Source::design, "counted"}}) {
        std::vector<std::string> names;
        for (const TableMetric& metric : table.metrics())
            if (metric.source == source) names.push_back(metric.name);
        if (!names.empty()) text += fmt::format("; {}: {}", what, fmt::join(names, ", "));
    }
    return text;
}

SearchTask table_task(const SearchConfig& config, const std::string& path) {
    const TableDescription description = description_of(config, path);
    Goals goals = config.engine.goals;
    if (goals.objectives.empty()) goals.objectives = description.objectives;
    const auto table =
        std::make_shared<const DesignTable>(DesignTable::read(path, description, goals.wanted()));
    std::vector<std::string> delivered;
    for (const TableMetric& metric : table->metrics()) delivered.push_back(metric.name);
    if (goals.objectives.empty())
        throw ConfigError("--objectives is missing", "a table does not say what is wanted of it",
                          fmt::format("choose among {}", fmt::join(delivered, ", ")));
    require_known_metrics(goals, delivered);
    SearchTask task = exact_task(config, table->space(), [table](const Candidate& candidate) {
        return trained_by(*table, candidate);
    });
    task.engine.goals = goals;
    task.engine.reference_rule = ReferenceRule::scale;
    task.engine.epochs = settled_epochs(config, *table, goals);
    if (task.engine.budget.unit == Budget::Unit::epochs && task.engine.epochs == 0)
        throw ConfigError("--budget is in epochs, and no objective has columns by epochs", {},
                          "name them with --fidelities, or give --evaluations instead");
    task.data_digest = table->digest().hex();
    task.about = about(*table, path);
    for (const std::string& name : goals.wanted())
        if (table->metric(name)->source == Source::measuring) task.measured[""].push_back(name);
    task.static_metrics = [table](const Candidate& candidate) {
        return counted_by(*table, candidate);
    };
    task.notional_seconds = [table](const Candidate& candidate) {
        return training_seconds_by(*table, candidate);
    };
    const std::vector<TableMetric>& metrics = table->metrics();
    if (std::any_of(metrics.begin(), metrics.end(),
                    [](const TableMetric& metric) { return metric.source == Source::measuring; }))
        task.make_probe = [table] { return std::make_unique<TableProbe>(table); };
    return task;
}

}  // namespace

SearchTask problem_task(const SearchConfig& config) {
    const std::string table = table_of(config);
    return table.empty() ? analytic_task(config) : table_task(config, table);
}

}  // namespace edgeloop::apps
