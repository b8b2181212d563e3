#pragma once

#include "edgeloop/table/design_table.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {

/// One error of a table and one latency.
struct TableProblem {
    std::string name;  ///< table:error:latency
    std::shared_ptr<const DesignTable> table;
    std::string error, latency;
    std::size_t error_column = 0, latency_column = 0;
    std::pair<double, double> reference;
    double true_volume = 0;
};

/// All problems of tables, which are files or lie in folders.
/// @param part    of a problem's name; empty: all.
/// @param epochs  that the error has to be known after, each.
/// @throws ConfigError  there is none.
[[nodiscard]] std::vector<TableProblem> table_problems(const std::vector<std::string>& tables,
                                                       const std::string& part,
                                                       const std::vector<int>& epochs);

}  // namespace edgeloop
