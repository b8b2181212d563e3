#include "edgeloop/core/cholesky.hpp"

#include <cmath>
#include <numeric>
#include <utility>

namespace edgeloop {

void cholesky(std::vector<double>& matrix, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        double* const row = &matrix[triangle_row(i)];
        for (std::size_t j = 0; j < i; ++j) {
            const double* const above = &matrix[triangle_row(j)];
            row[j] = (row[j] - std::inner_product(row, row + j, above, 0.0)) / above[j];
        }
        row[i] = std::sqrt(row[i] - std::inner_product(row, row + i, row, 0.0));
    }
}

std::vector<double> solve_lower(const std::vector<double>& factor, std::vector<double> x) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double* const row = &factor[triangle_row(i)];
        x[i] = (x[i] - std::inner_product(row, row + i, x.data(), 0.0)) / row[i];
    }
    return x;
}

std::vector<double> solve_cholesky(const std::vector<double>& factor, std::vector<double> x) {
    x = solve_lower(factor, std::move(x));
    for (std::size_t i = x.size(); i-- > 0;) {
        const double* const row = &factor[triangle_row(i)];
        x[i] /= row[i];
        for (std::size_t k = 0; k < i; ++k) x[k] -= row[k] * x[i];
    }
    return x;
}

}  // namespace edgeloop
