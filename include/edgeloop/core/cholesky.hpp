#pragma once

#include <cstddef>
#include <vector>

namespace edgeloop {

// Symmetric matrices as their lower triangles, row after row: row i begins at i (i + 1) / 2.

[[nodiscard]] inline std::size_t triangle_row(std::size_t row) { return row * (row + 1) / 2; }

/// Cholesky factor of a symmetric positive definite matrix, in its place.
void cholesky(std::vector<double>& matrix, std::size_t size);
/// Solves L y = x.
[[nodiscard]] std::vector<double> solve_lower(const std::vector<double>& factor,
                                              std::vector<double> x);
/// Solves L L' y = x.
[[nodiscard]] std::vector<double> solve_cholesky(const std::vector<double>& factor,
                                                 std::vector<double> x);

}  // namespace edgeloop
