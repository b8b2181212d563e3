#include "median_interval.hpp"

#include "edgeloop/core/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

namespace edgeloop {
namespace {

constexpr std::size_t fewest_batches = 8;
constexpr double z = 1.96;              ///< a normal value is farther from its mean in 5 of 100
constexpr double tail = 0.025;          ///< of the cases on either side of the interval
constexpr double normal_from = 200;     ///< values, from where the binomial is close to normal
constexpr double max_dependence = 0.9;  ///< of successive batches
constexpr double fair_variance = 0.25;  ///< of "below the median or not"

/// Like z for the mean of so many batches whose variance is estimated (Student's t; within 1 % of
/// it for 8 and more).
double student(std::size_t batches) {
    const auto freedom = static_cast<double>(batches - 1);
    return z + (z + z * z * z) / (4 * freedom) +
           (5 * std::pow(z, 5) + 16 * std::pow(z, 3) + 3 * z) / (96 * freedom * freedom);
}

/// How many times the variance of the mean of these batches is that of as many independent values,
/// were there more of them: successive batches that still depend on each other hide a part, which
/// is (1 + r) / (1 - r) when the dependence r fades from batch to batch at one rate.
double inflation_of(const std::vector<double>& batches, double size) {
    const auto n = static_cast<double>(batches.size());
    const double mean = std::accumulate(batches.begin(), batches.end(), 0.0) / n;
    double squares = 0, products = 0;
    for (std::size_t i = 0; i < batches.size(); ++i) {
        squares += (batches[i] - mean) * (batches[i] - mean);
        if (i > 0) products += (batches[i] - mean) * (batches[i - 1] - mean);
    }
    if (squares <= 0) return 0;
    const double r = std::clamp(products / squares, 0.0, max_dependence);
    const double doubt = student(batches.size()) / z;
    return size * squares / (n - 1) / fair_variance * doubt * doubt * (1 + r) / (1 - r);
}

/// How many times the variance of the share below the median is that of independent values: the
/// most that batches of 2, 4, 8 ... values show.
double inflation(std::vector<double> below) {
    double most = 1;
    for (std::size_t size = 2; below.size() / 2 >= fewest_batches; size *= 2) {
        for (std::size_t i = 0; i < below.size() / 2; ++i)
            below[i] = 0.5 * (below[2 * i] + below[2 * i + 1]);
        below.resize(below.size() / 2);
        most = std::max(most, inflation_of(below, static_cast<double>(size)));
    }
    return most;
}

/// Values below the lower bound, of n independent ones: the most that fewer are below the median
/// in `tail` of the cases at most.
double outside(double n) {
    if (n > normal_from) return std::max(0.0, std::floor(0.5 * (n - z * std::sqrt(n)) - 0.5));
    double probability = std::pow(0.5, n), cumulated = probability;
    int below = 0;
    while (cumulated <= tail) {
        ++below;
        probability *= (n - below + 1) / below;
        cumulated += probability;
    }
    return std::max(0, below - 1);
}

/// Lowest and highest of the medians of batches.
std::pair<double, double> range_of_batches(const std::vector<double>& in_order) {
    const std::size_t batches = std::min(in_order.size(), fewest_batches);
    std::vector<double> medians;
    for (std::size_t i = 0; i < batches; ++i) {
        const auto at = [&](std::size_t k) {
            return in_order.begin() + static_cast<std::ptrdiff_t>(k * in_order.size() / batches);
        };
        medians.push_back(median({at(i), at(i + 1)}));
    }
    const auto [low, high] = std::minmax_element(medians.begin(), medians.end());
    return {*low, *high};
}

}  // namespace

std::optional<MedianInterval> median_interval(const std::vector<double>& in_order) {
    if (in_order.size() < std::size_t(fewest_for_interval)) return std::nullopt;
    std::vector<double> sorted = in_order;
    std::sort(sorted.begin(), sorted.end());
    const double middle = quantile(sorted, 0.5);
    std::vector<double> below(in_order.size());
    std::transform(in_order.begin(), in_order.end(), below.begin(), [&](double value) {
        return value < middle ? 1.0 : value > middle ? 0.0 : 0.5;
    });
    const auto n = static_cast<double>(in_order.size());
    MedianInterval interval;
    interval.independent = n / inflation(std::move(below));
    interval.watched_too_short = interval.independent < fewest_for_interval;
    if (interval.watched_too_short) {
        const auto [low, high] = range_of_batches(in_order);
        interval.low = low - (high - low);
        interval.high = high + (high - low);
        return interval;
    }
    const double independent = std::floor(interval.independent);
    const double share = outside(independent) / (independent - 1);
    const auto place = static_cast<std::size_t>(std::floor(share * (n - 1)));
    interval.low = sorted[place];
    interval.high = sorted[sorted.size() - 1 - place];
    return interval;
}

}  // namespace edgeloop
