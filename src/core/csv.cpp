#include "edgeloop/core/csv.hpp"

#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cstddef>

namespace edgeloop {
namespace {

/// What a spreadsheet may take for the beginning of a formula. Control characters are not among
/// them: printable() leaves none.
constexpr std::string_view formula_marks[] = {"=",      "+",      "-",      "@",
                                              "\uff1d", "\uff0b", "\uff0d", "\uff20"};

bool begins_a_formula(std::string_view text) {
    if (number_in<double>(text)) return false;
    return std::any_of(std::begin(formula_marks), std::end(formula_marks),
                       [&](std::string_view mark) { return text.substr(0, mark.size()) == mark; });
}

/// Whether a text begins a formula behind apostrophes, of which there may be none.
bool hides_a_formula(std::string_view text) {
    return begins_a_formula(text.substr(std::min(text.find_first_not_of('\''), text.size())));
}

}  // namespace

std::string csv_cell(std::string_view text) {
    std::string cell = printable(text);
    if (hides_a_formula(cell)) cell.insert(cell.begin(), '\'');
    if (cell.find_first_of(",\"") == std::string::npos) return cell;
    std::string quoted = "\"";
    for (const char c : cell) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + '"';
}

std::vector<std::string> csv_row(std::string_view line) {
    std::vector<std::string> cells(1);
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == ',' && !quoted)
            cells.emplace_back();
        else if (line[i] != '"')
            cells.back() += line[i];
        else if (quoted && i + 1 < line.size() && line[i + 1] == '"')
            cells.back() += line[i++];
        else
            quoted = !quoted;
    }
    for (std::string& cell : cells)
        if (cell[0] == '\'' && hides_a_formula(cell)) cell.erase(0, 1);
    return cells;
}

}  // namespace edgeloop
