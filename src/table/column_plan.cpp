#include "table/column_plan.hpp"

#include "table/table_rows.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// What a column is; parts of the description that name it may not contradict each other.
struct Part {
    enum class Kind { open, ignored, gene, number } kind = Kind::open;
    std::string what = {};  ///< e.g. "measured"; empty: a number like any other
    TableGene gene = {};
};

class Planner {
  public:
    Planner(const std::string& path, const std::vector<std::string>& heading,
            const TableDescription& description)
        : path_(path), heading_(heading), description_(description), parts_(heading.size()) {}

    ColumnPlan plan(const std::vector<std::string>& numbers) {
        take_genes();
        take_numbers();
        for (const std::string& name : numbers)
            if (description_.fidelities.count(name) == 0 && find(name))
                claim(*find(name), Part::Kind::number, "");
        const bool open = std::any_of(parts_.begin(), parts_.end(), [](const Part& part) {
            return part.kind == Part::Kind::open;
        });
        if (open) look_at_open_columns();
        return made();
    }

  private:
    [[nodiscard]] std::optional<std::size_t> find(const std::string& name) const {
        const auto found = std::find(heading_.begin(), heading_.end(), name);
        if (found == heading_.end()) return std::nullopt;
        return static_cast<std::size_t>(found - heading_.begin());
    }

    [[nodiscard]] std::size_t require(const std::string& name, const std::string& what) const {
        if (const auto column = find(name)) return *column;
        throw ConfigError(fmt::format("the table '{}' has no column '{}'", path_, name),
                          fmt::format("it is named as {}", what), did_you_mean(name, heading_));
    }

    /// @param what  empty: asked for, whatever delivers it.
    Part& claim(std::size_t column, Part::Kind kind, const std::string& what) {
        Part& part = parts_[column];
        const bool fits = part.kind == Part::Kind::open ||
                          (part.kind == kind && (what.empty() || part.what == what));
        if (!fits)
            throw ConfigError(
                fmt::format("column '{}' of '{}' is named as {} and as {}", heading_[column], path_,
                            part.what, what.empty() ? "an objective or limit" : what),
                {}, "name it as one of them");
        part.kind = kind;
        if (!what.empty()) part.what = what;
        return part;
    }

    void take_genes() {
        if (description_.genes)
            for (const TableGene& gene : *description_.genes) {
                const std::size_t column = require(gene.column, "a gene");
                if (parts_[column].kind == Part::Kind::gene)
                    throw ConfigError(
                        fmt::format("gene '{}' of '{}' is named twice", gene.column, path_));
                claim(column, Part::Kind::gene, "a gene").gene = gene;
            }
        for (const TableGene& gene : description_.more_genes)
            claim(require(gene.column, "a gene"), Part::Kind::gene, "a gene").gene = gene;
    }

    void take_numbers() {
        for (const auto& [objective, columns] : description_.fidelities)
            for (const auto& [epochs, column] : columns) {
                const std::string what = fmt::format("'{}' after {} epochs", objective, epochs);
                claim(require(column, what), Part::Kind::number, what);
            }
        const auto take = [&](const std::vector<std::string>& names, const std::string& what) {
            for (const std::string& name : names)
                claim(require(name, what), Part::Kind::number, what);
        };
        take(description_.measured, "measured");
        take(description_.counted, "counted");
        if (!description_.epoch_seconds.empty())
            take({description_.epoch_seconds}, "the seconds of an epoch");
        for (const std::string& name : description_.objectives)
            if (description_.fidelities.count(name) == 0)
                claim(require(name, "an objective"), Part::Kind::number, "");
    }

    /// What nobody says is told by what is in the column.
    void look_at_open_columns() {
        struct Seen {
            std::string text = {};  ///< "place: 'text'" of the first text
            bool fraction = false;  ///< a number that is not whole: no name of a choice
        };
        std::vector<Seen> seen(heading_.size());
        TableRows rows(path_);
        while (rows.next())
            for (std::size_t i = 0; i < parts_.size(); ++i) {
                if (parts_[i].kind != Part::Kind::open) continue;
                const auto value = number_in<double>(rows.cells()[i]);
                if (!value && seen[i].text.empty())
                    seen[i].text = fmt::format("{}: '{}'", rows.place(i), rows.cells()[i]);
                else if (value && *value != std::floor(*value))
                    seen[i].fraction = true;
            }
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            if (parts_[i].kind != Part::Kind::open) continue;
            if (!seen[i].text.empty() && seen[i].fraction)
                throw ConfigError(
                    seen[i].text + " is not a number, as others of this column are", {},
                    fmt::format("mend it, or if they are names of choices, say --genes {}",
                                heading_[i]));
            if (seen[i].text.empty())
                parts_[i].kind = Part::Kind::number;
            else if (description_.genes)
                parts_[i].kind = Part::Kind::ignored;
            else
                parts_[i] = {Part::Kind::gene, "a gene", {heading_[i]}};
        }
    }

    [[nodiscard]] ColumnPlan made() const {
        ColumnPlan plan;
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            if (parts_[i].kind == Part::Kind::gene) {
                plan.genes.push_back(parts_[i].gene);
                plan.gene_columns.push_back(i);
            }
            if (parts_[i].kind != Part::Kind::number) continue;
            plan.numbers.push_back(i);
            add_metric(i, plan.numbers.size() - 1, plan);
        }
        if (plan.genes.empty())
            throw ConfigError(fmt::format("no column of '{}' is a gene", path_),
                              "all of them hold numbers", "name them with --genes");
        require_different_names(plan);
        return plan;
    }

    void add_metric(std::size_t column, std::size_t place, ColumnPlan& plan) const {
        const std::string& name = heading_[column];
        if (name == description_.epoch_seconds) {
            plan.epoch_seconds = place;
            return;
        }
        for (const auto& [objective, columns] : description_.fidelities)
            for (const auto& each : columns)
                if (each.second == name) return add_fidelity(objective, each.first, place, plan);
        const auto has = [&](const std::vector<std::string>& names) {
            return std::count(names.begin(), names.end(), name) > 0;
        };
        const Source source = has(description_.measured)  ? Source::measuring
                              : has(description_.counted) ? Source::design
                                                          : Source::training;
        plan.metrics.push_back({name, source, {{0, place}}});
    }

    static void add_fidelity(const std::string& objective, int epochs, std::size_t place,
                             ColumnPlan& plan) {
        for (TableMetric& metric : plan.metrics)
            if (metric.name == objective && metric.columns.count(0) == 0) {
                metric.columns[epochs] = place;
                return;
            }
        plan.metrics.push_back({objective, Source::training, {{epochs, place}}});
    }

    void require_different_names(const ColumnPlan& plan) const {
        std::set<std::string> names;
        for (const TableGene& gene : plan.genes) names.insert(gene.column);
        for (const TableMetric& metric : plan.metrics)
            if (!names.insert(metric.name).second)
                throw ConfigError(
                    fmt::format("'{}' of '{}' is the name of a column and of an objective with "
                                "other columns",
                                metric.name, path_),
                    {}, "give the objective another name");
    }

    const std::string& path_;
    const std::vector<std::string>& heading_;
    const TableDescription& description_;
    std::vector<Part> parts_;
};

}  // namespace

ColumnPlan plan_columns(const std::string& path, const std::vector<std::string>& heading,
                        const TableDescription& description,
                        const std::vector<std::string>& numbers) {
    return Planner(path, heading, description).plan(numbers);
}

}  // namespace edgeloop
