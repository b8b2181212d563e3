#pragma once

#include "edgeloop/core/hash.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/space/search_space.hpp"
#include "edgeloop/table/description.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {

/// What a table tells of each of its designs.
struct TableMetric {
    std::string name;
    Source source = Source::training;
    std::map<int, std::size_t> columns;  ///< by epochs of training; 0: whatever they are

    /// The column with what training for so many epochs gives (0: for the most); nothing: it has
    /// none.
    [[nodiscard]] std::optional<std::size_t> column(int epochs) const;
};

/// Results of all designs that somebody has evaluated, as a search problem: a space of the genes,
/// and for each design its row. In memory: 8 bytes a number, 4 a gene, 8 to 16 a design.
class DesignTable {
  public:
    /// Reads tab-separated text with a heading, plain or .gz.
    ///
    /// @param numbers  metrics that are asked for: their columns hold numbers, whatever else they
    ///                 seem to hold.
    /// @throws ConfigError  with line and column of the mistake: a column is missing, text where a
    ///                      number belongs, rows that disagree about a design …
    [[nodiscard]] static DesignTable read(const std::string& path,
                                          const TableDescription& description,
                                          const std::vector<std::string>& numbers = {});

    /// Its genomes are boxes': they have no spec.
    [[nodiscard]] const SearchSpace& space() const { return space_; }
    /// Number of different designs.
    [[nodiscard]] std::size_t size() const { return designs_; }
    [[nodiscard]] const std::vector<TableMetric>& metrics() const { return metrics_; }
    /// @return null: there is none of that name.
    [[nodiscard]] const TableMetric* metric(const std::string& name) const;
    /// Row of a design; nothing: the table does not have it. A gene that is no whole number means
    /// the nearest value of its column. REQUIRES: a canonical genome of space().
    [[nodiscard]] std::optional<std::size_t> find(const Genome& genome) const;
    [[nodiscard]] double value(std::size_t row, std::size_t column) const {
        return columns_[column][row];
    }
    /// Values of a column, one for each design.
    [[nodiscard]] const std::vector<double>& column(std::size_t column) const {
        return columns_[column];
    }
    /// Column with the seconds that one epoch trains; nothing: none is known.
    [[nodiscard]] std::optional<std::size_t> epoch_seconds() const { return epoch_seconds_; }
    /// Of the text of the table and of what its columns are.
    [[nodiscard]] const Digest& digest() const { return digest_; }

  private:
    class Reader;
    explicit DesignTable(SearchSpace space) : space_(std::move(space)) {}

    /// Where the row with these genes stands in the hash table, or would stand.
    [[nodiscard]] std::size_t slot_of(const std::uint32_t* codes) const;

    SearchSpace space_;
    std::size_t designs_ = 0;
    std::vector<TableMetric> metrics_;
    std::vector<std::vector<double>> columns_;
    std::optional<std::size_t> epoch_seconds_;
    Digest digest_;
    /// By gene that is a number itself: the values of its column, ascending.
    std::vector<std::vector<double>> gene_values_;
    std::vector<std::uint32_t> codes_;  ///< values of the genes, row after row
    std::vector<std::uint32_t> slots_;  ///< open hash table: row + 1, or 0
};

/// Names of the columns. @throws ConfigError  no heading, or a name that is empty or there twice.
[[nodiscard]] std::vector<std::string> table_heading(const std::string& path);

}  // namespace edgeloop
