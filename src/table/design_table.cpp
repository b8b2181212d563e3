#include "edgeloop/table/design_table.hpp"

#include "table/column_plan.hpp"
#include "table/gene_values.hpp"
#include "table/table_rows.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// The nearest of some values, on the scale on which the gene varies.
std::size_t nearest(const Variable& variable, const std::vector<double>& values, double gene) {
    const auto above = std::lower_bound(values.begin(), values.end(), gene);
    if (above == values.begin()) return 0;
    const auto place = static_cast<std::size_t>(above - values.begin());
    if (above == values.end()) return place - 1;
    const double at = variable.to_scale(gene);
    const bool lower =
        at - variable.to_scale(values[place - 1]) <= variable.to_scale(values[place]) - at;
    return lower ? place - 1 : place;
}

/// Where each result comes from, in one text that tells descriptions apart.
std::string text_of(const ColumnPlan& plan, const std::vector<std::string>& heading) {
    Json metrics = Json::array();
    for (const TableMetric& metric : plan.metrics)
        for (const auto& [epochs, place] : metric.columns)
            metrics.push_back({metric.name, static_cast<int>(metric.source), epochs,
                               heading[plan.numbers[place]]});
    return metrics.dump();
}

}  // namespace

std::optional<std::size_t> TableMetric::column(int epochs) const {
    if (const auto always = columns.find(0); always != columns.end()) return always->second;
    if (epochs == 0) return columns.rbegin()->second;
    const auto found = columns.find(epochs);
    return found == columns.end() ? std::nullopt : std::optional(found->second);
}

/// Fills a table row by row.
class DesignTable::Reader {
  public:
    Reader(const std::string& path, const TableDescription& description,
           const std::vector<std::string>& numbers)
        : path_(path),
          rows_(path),
          plan_(plan_columns(path, rows_.heading(), description, numbers)),
          columns_(plan_.numbers.size()) {
        for (const TableGene& gene : plan_.genes) genes_.emplace_back(gene);
    }

    DesignTable read() {
        while (rows_.next()) add_row();
        std::vector<Variable> variables;
        std::vector<std::vector<double>> values;
        std::vector<std::vector<std::uint32_t>> places;
        for (const GeneValues& gene : genes_) {
            GeneValues::Made made = gene.made();
            variables.push_back(std::move(made.variable));
            values.push_back(std::move(made.values));
            places.push_back(std::move(made.places));
        }
        for (std::size_t i = 0; i < codes_.size(); ++i)
            codes_[i] = places[i % places.size()][codes_[i]];
        DesignTable table(SearchSpace::of_genes("table", std::move(variables)));
        table.gene_values_ = std::move(values);
        table.metrics_ = plan_.metrics;
        table.epoch_seconds_ = plan_.epoch_seconds;
        table.digest_ = edgeloop::digest(rows_.digest().hex() + text_of(plan_, rows_.heading()) +
                                         table.space_.identity().hex());
        table.codes_ = std::move(codes_);
        table.columns_ = std::move(columns_);
        index(table);
        return table;
    }

  private:
    void add_row() {
        if (lines_.size() == std::numeric_limits<std::uint32_t>::max() / 4)
            throw ConfigError(fmt::format("the table '{}' has too many rows", path_));
        lines_.push_back(static_cast<std::uint32_t>(rows_.line()));
        for (std::size_t gene = 0; gene < genes_.size(); ++gene) {
            const std::size_t column = plan_.gene_columns[gene];
            codes_.push_back(
                genes_[gene].number_of(rows_.cells()[column], [&] { return rows_.place(column); }));
        }
        for (std::size_t i = 0; i < columns_.size(); ++i)
            columns_[i].push_back(rows_.number(plan_.numbers[i]));
    }

    /// Makes the hash table, and leaves out rows that say the same again.
    void index(DesignTable& table) {
        std::size_t slots = 4;
        while (slots < 2 * lines_.size()) slots *= 2;
        table.slots_.assign(slots, 0);
        const std::size_t genes = genes_.size();
        for (std::size_t row = 0; row < lines_.size(); ++row) {
            const std::uint32_t* const codes = &table.codes_[row * genes];
            std::uint32_t& slot = table.slots_[table.slot_of(codes)];
            if (slot != 0) {
                require_equal(table, slot - 1, row);
                continue;
            }
            const std::size_t place = table.designs_++;
            slot = static_cast<std::uint32_t>(place) + 1;
            std::copy(codes, codes + genes, &table.codes_[place * genes]);
            for (std::vector<double>& column : table.columns_) column[place] = column[row];
            lines_[place] = lines_[row];
        }
        table.codes_.resize(table.designs_ * genes);
        table.codes_.shrink_to_fit();
        for (std::vector<double>& column : table.columns_) {
            column.resize(table.designs_);
            column.shrink_to_fit();
        }
    }

    void require_equal(const DesignTable& table, std::size_t a, std::size_t b) const {
        for (std::size_t i = 0; i < table.columns_.size(); ++i)
            if (table.columns_[i][a] != table.columns_[i][b])
                throw ConfigError(
                    fmt::format("'{}', lines {} and {}: the same design has another '{}', {} and "
                                "{}",
                                path_, lines_[a], lines_[b], rows_.heading()[plan_.numbers[i]],
                                table.columns_[i][a], table.columns_[i][b]),
                    "a search needs to know which one is true",
                    "leave one out, or name the column that tells them apart with --genes");
    }

    const std::string& path_;
    TableRows rows_;
    ColumnPlan plan_;
    std::vector<GeneValues> genes_;
    std::vector<std::uint32_t> codes_;
    std::vector<std::vector<double>> columns_;
    std::vector<std::uint32_t> lines_;  ///< of each row
};

DesignTable DesignTable::read(const std::string& path, const TableDescription& description,
                              const std::vector<std::string>& numbers) {
    return Reader(path, description, numbers).read();
}

const TableMetric* DesignTable::metric(const std::string& name) const {
    for (const TableMetric& metric : metrics_)
        if (metric.name == name) return &metric;
    return nullptr;
}

std::size_t DesignTable::slot_of(const std::uint32_t* codes) const {
    const std::size_t genes = space_.variables().size();
    const std::string_view bytes(reinterpret_cast<const char*>(codes), genes * sizeof *codes);
    std::size_t slot = edgeloop::digest(bytes).low & (slots_.size() - 1);
    while (slots_[slot] != 0 &&
           !std::equal(codes, codes + genes, &codes_[(slots_[slot] - 1) * genes]))
        slot = (slot + 1) & (slots_.size() - 1);
    return slot;
}

std::optional<std::size_t> DesignTable::find(const Genome& genome) const {
    const std::vector<Variable>& variables = space_.variables();
    EDGELOOP_EXPECT(genome.genes.size() == variables.size(), "a genome of another space");
    std::vector<std::uint32_t> codes;
    for (std::size_t i = 0; i < variables.size(); ++i) {
        std::size_t place = variables[i].index_of(genome.genes[i]);
        if (!variables[i].traits().has_choices) {
            const std::vector<double>& values = gene_values_[i];
            place = nearest(variables[i], values, genome.genes[i]);
            if (variables[i].traits().is_whole && values[place] != genome.genes[i])
                return std::nullopt;
        }
        codes.push_back(static_cast<std::uint32_t>(place));
    }
    const std::uint32_t found = slots_[slot_of(codes.data())];
    return found == 0 ? std::nullopt : std::optional<std::size_t>(found - 1);
}

std::vector<std::string> table_heading(const std::string& path) {
    return TableRows(path).heading();
}

}  // namespace edgeloop
