#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// The member of `known` with the smallest edit distance to `word`, for "did you mean"; empty when
/// there is none.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& known);

/// Shortest text that reads back as exactly this number, e.g. "0.1", "1e-07", "nan".
[[nodiscard]] std::string shortest(double value);

}  // namespace edgeloop
