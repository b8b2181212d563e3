#include "table/table_rows.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <cmath>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace edgeloop {
namespace {

std::string_view without_blanks(std::string_view text) {
    const std::size_t first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

TableRows::TableRows(const std::string& path) : lines_(path) {
    std::optional<std::string_view> line = lines_.next();
    while (line && line->empty()) line = lines_.next();
    if (!line)
        throw ConfigError(fmt::format("the table '{}' is empty", path), {},
                          "it needs a line with the names of the columns, and one for each design");
    split(*line);
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        if (cells_[i].empty())
            throw ConfigError(fmt::format("'{}': column {} has no name", path, i + 1), {},
                              "name each column in the first line, with tabs between the names");
        if (!names.insert(cells_[i]).second)
            throw ConfigError(fmt::format("'{}': column '{}' is there twice", path, cells_[i]));
    }
    heading_.assign(cells_.begin(), cells_.end());
}

void TableRows::split(std::string_view line) {
    cells_.clear();
    for (;;) {
        const std::size_t tab = line.find('\t');
        cells_.push_back(without_blanks(line.substr(0, tab)));
        if (tab == std::string_view::npos) return;
        line.remove_prefix(tab + 1);
    }
}

bool TableRows::next() {
    std::optional<std::string_view> line = lines_.next();
    while (line && line->empty()) line = lines_.next();
    if (!line && !any_)
        throw ConfigError(fmt::format("the table '{}' has a heading and no rows", lines_.path()),
                          {}, "give it a row for each design");
    if (!line) return false;
    any_ = true;
    split(*line);
    if (cells_.size() != heading_.size())
        throw ConfigError(fmt::format("'{}', line {}: the row has {}", lines_.path(),
                                      lines_.number(), plural(cells_.size(), "cell")),
                          fmt::format("the heading has {}", heading_.size()),
                          "give each row a cell for each column, with tabs between them");
    return true;
}

std::string TableRows::place(std::size_t column) const {
    return fmt::format("'{}', line {}, column '{}'", lines_.path(), line(), heading_[column]);
}

double TableRows::number(std::size_t column) const {
    const std::string_view cell = cells_[column];
    const std::optional<double> value = number_in<double>(cell);
    if (!value)
        throw ConfigError(cell.empty()
                              ? fmt::format("{}: a number is missing", place(column))
                              : fmt::format("{}: '{}' is not a number", place(column), cell),
                          {}, "mend it, or leave the row out: such a design counts as infeasible");
    if (!std::isfinite(*value))
        throw ConfigError(fmt::format("{}: {} is not finite", place(column), cell), {},
                          "leave the row out: a design that is not there counts as infeasible");
    return *value;
}

}  // namespace edgeloop
