#pragma once

#include "edgeloop/table/design_table.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// What is made of each column of a table.
struct ColumnPlan {
    std::vector<TableGene> genes;              ///< in the order of the columns
    std::vector<std::size_t> gene_columns;     ///< by gene: place in the heading
    std::vector<std::size_t> numbers;          ///< columns that are kept as numbers
    std::vector<TableMetric> metrics;          ///< their columns: places in `numbers`
    std::optional<std::size_t> epoch_seconds;  ///< place in `numbers`
};

/// Decides it. Reads the table once when the description leaves columns open.
///
/// @param heading  of the table at `path`.
/// @param numbers  as in DesignTable::read().
/// @throws ConfigError  a named column is missing or has two parts to play; there is no gene; a
///                      column of numbers has text in it.
[[nodiscard]] ColumnPlan plan_columns(const std::string& path,
                                      const std::vector<std::string>& heading,
                                      const TableDescription& description,
                                      const std::vector<std::string>& numbers);

}  // namespace edgeloop
