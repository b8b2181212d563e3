#pragma once

#include "edgeloop/core/line_reader.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// Heading and rows of tab-separated text. Empty lines are left out, and blanks around cells.
class TableRows {
  public:
    /// @throws ConfigError  as LineReader; no heading, or a name that is empty or there twice.
    explicit TableRows(const std::string& path);

    [[nodiscard]] const std::vector<std::string>& heading() const { return heading_; }
    /// Goes to the next row. @return false at the end.
    /// @throws ConfigError  there is no row, or it has more or fewer cells than the heading.
    [[nodiscard]] bool next();
    /// Cells of the row at hand, valid until next(). Shape (heading).
    [[nodiscard]] const std::vector<std::string_view>& cells() const { return cells_; }
    /// Line of the file that the row at hand is.
    [[nodiscard]] std::size_t line() const { return lines_.number(); }
    /// Of the whole text, once next() gave false.
    [[nodiscard]] const Digest& digest() const { return lines_.digest(); }

    /// "t.tsv, line 7, column 'error'", for messages.
    [[nodiscard]] std::string place(std::size_t column) const;
    /// @throws ConfigError  the cell is no finite number.
    [[nodiscard]] double number(std::size_t column) const;

  private:
    void split(std::string_view line);

    LineReader lines_;
    std::vector<std::string> heading_;
    std::vector<std::string_view> cells_;
    bool any_ = false;  ///< there was a row
};

}  // namespace edgeloop
