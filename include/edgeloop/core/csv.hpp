#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// A text as a cell of comma-separated values: printable(), and quoted as RFC 4180 asks where it
/// holds a comma or a quote. So a row is a line.
///
/// Spreadsheets run cells that begin with = + - @, a tab or the end of a line, and the full-width
/// forms of the first four, also quoted ones. Such a text gets an apostrophe in front, which makes
/// it a text to all of them; so does one that has apostrophes and then such a letter, so that the
/// way back is known. Numbers are no formulas and stay as they are.
[[nodiscard]] std::string csv_cell(std::string_view text);

/// The texts of a line of such cells, without its end: what csv_cell() was given, if it was
/// printable. Never empty.
[[nodiscard]] std::vector<std::string> csv_row(std::string_view line);

}  // namespace edgeloop
