#include "edgeloop/deploy/scores.hpp"

#include "training/regression_sums.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace edgeloop {
namespace {

constexpr double outside = 0.025;  // of an interval, at each end
constexpr double max_bins = 10;

/// Position of the group of each window, in the order in which groups first appear.
struct GroupPlaces {
    std::vector<std::size_t> of_window;
    std::size_t count = 0;
};
GroupPlaces places_of(const std::vector<std::uint64_t>& groups) {
    GroupPlaces places;
    std::map<std::uint64_t, std::size_t> known;
    for (const std::uint64_t group : groups)
        places.of_window.push_back(known.emplace(group, known.size()).first->second);
    places.count = known.size();
    return places;
}

/// Sums of each group.
std::vector<RegressionSums> sums_of(const ScoredWindows& windows, const GroupPlaces& places) {
    const std::size_t width = windows.targets.size();
    EDGELOOP_EXPECT(windows.windows() > 0 &&
                        windows.predicted.size() == windows.windows() * width &&
                        windows.expected.size() == windows.predicted.size(),
                    "windows with predicted and true values");
    std::vector<RegressionSums> sums(places.count, RegressionSums(windows.targets));
    for (std::size_t i = 0; i < windows.windows(); ++i)
        sums[places.of_window[i]].add(windows.predicted.data() + i * width,
                                      windows.expected.data() + i * width, 1);
    return sums;
}

/// How often each group counts.
using Draw = std::vector<std::uint32_t>;

RegressionSums total_of(const std::vector<RegressionSums>& groups, const Draw& draw) {
    RegressionSums total(groups.front().targets);
    for (std::size_t g = 0; g < groups.size(); ++g)
        for (std::size_t i = 0; draw[g] > 0 && i < total.values.size(); ++i)
            total.values[i] += double(draw[g]) * groups[g].values[i];
    return total;
}

using Numbers = std::vector<double>;

/// RMSE of all targets, that of each divided by its scale, then the coefficients of determination.
Numbers numbers_of(const RegressionSums& sums) {
    const Metrics metrics = sums.metrics();
    Numbers numbers = {metrics.at("val_rmse")};
    for (const Target& target : sums.targets)
        numbers.push_back(metrics.at("val_rmse_" + metric_name(target)) / target.scale);
    for (const Target& target : sums.targets) {
        const auto r2 = metrics.find("r2_" + target.name);
        numbers.push_back(r2 != metrics.end() ? r2->second
                                              : std::numeric_limits<double>::quiet_NaN());
    }
    return numbers;
}

/// Numbers of the whole, each with the interval of those of resamples.
std::vector<Estimate> bootstrap(std::size_t groups, const Bootstrap& options,
                                const std::function<Numbers(const Draw&)>& numbers_of_draw) {
    const Numbers whole = numbers_of_draw(Draw(groups, 1));
    std::vector<Numbers> drawn(whole.size());
    for (int resample = 0; resample < options.resamples; ++resample) {
        RandomStream random(options.seed, "bootstrap", static_cast<std::uint32_t>(resample));
        Draw draw(groups, 0);
        for (std::size_t i = 0; i < groups; ++i) ++draw[random.below(groups)];
        const Numbers numbers = numbers_of_draw(draw);
        for (std::size_t i = 0; i < numbers.size(); ++i)
            if (std::isfinite(numbers[i])) drawn[i].push_back(numbers[i]);
    }
    std::vector<Estimate> estimates(whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::sort(drawn[i].begin(), drawn[i].end());
        estimates[i].value = whole[i];
        if (drawn[i].empty() || !std::isfinite(whole[i])) continue;
        estimates[i].low = quantile(drawn[i], outside);
        estimates[i].high = quantile(drawn[i], 1 - outside);
    }
    return estimates;
}

/// The smallest of 1, 2 and 5 times a power of ten that cuts a range into at most max_bins.
double bin_width(double range) {
    const double least = range / max_bins;
    const double power = std::pow(10, std::floor(std::log10(least)));
    for (const double times : {1.0, 2.0, 5.0})
        if (times * power >= least) return times * power;
    return 10 * power;
}

void add_window(const ScoredWindows& windows, std::size_t i, ErrorBin& bin) {
    const std::size_t width = windows.targets.size();
    ++bin.windows;
    for (std::size_t t = 0; t < width; ++t) {
        const double error = windows.targets[t].scale * (double(windows.predicted[i * width + t]) -
                                                         double(windows.expected[i * width + t]));
        bin.rmse[t] += error * error;
        bin.bias[t] += error;
    }
}

}  // namespace

Scores scores_of(const ScoredWindows& windows, const Bootstrap& options) {
    const GroupPlaces places = places_of(windows.groups);
    const std::vector<RegressionSums> sums = sums_of(windows, places);
    const std::vector<Estimate> all = bootstrap(
        places.count, options, [&](const Draw& draw) { return numbers_of(total_of(sums, draw)); });
    Scores scores;
    scores.windows = windows.windows();
    scores.groups = places.count;
    scores.rmse = all[0];
    const std::size_t width = windows.targets.size();
    for (std::size_t t = 0; t < width; ++t)
        scores.targets.push_back({all[1 + t], all[1 + width + t]});
    return scores;
}

RmseRatio rmse_ratio(const ScoredWindows& of, const ScoredWindows& over, const Bootstrap& options) {
    EDGELOOP_EXPECT(of.groups == over.groups && of.expected == over.expected,
                    "two networks on the same windows");
    const GroupPlaces places = places_of(of.groups);
    const std::vector<RegressionSums> above = sums_of(of, places), below = sums_of(over, places);
    const std::size_t width = of.targets.size();
    const std::vector<Estimate> all = bootstrap(places.count, options, [&](const Draw& draw) {
        const Numbers top = numbers_of(total_of(above, draw));
        const Numbers bottom = numbers_of(total_of(below, draw));
        Numbers ratios(1 + width);
        for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i] = top[i] / bottom[i];
        return ratios;
    });
    RmseRatio ratio;
    ratio.windows = of.windows();
    ratio.groups = places.count;
    ratio.all = all[0];
    ratio.targets.assign(all.begin() + 1, all.end());
    return ratio;
}

std::vector<ErrorBin> bins_over(const ScoredWindows& windows, std::size_t target) {
    const std::size_t width = windows.targets.size();
    const double scale = windows.targets[target].scale;
    Numbers values;
    for (std::size_t i = 0; i < windows.windows(); ++i)
        values.push_back(scale * double(windows.expected[i * width + target]));
    if (values.empty()) return {};
    const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
    const double range = *highest - *lowest;
    const double size = bin_width(range > 0 ? range : std::max(std::abs(*highest), 1.0));
    std::map<double, ErrorBin> bins;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double number = std::floor(values[i] / size);
        const ErrorBin empty{number * size, (number + 1) * size, 0, Numbers(width), Numbers(width)};
        add_window(windows, i, bins.emplace(number, empty).first->second);
    }
    std::vector<ErrorBin> found;
    for (auto& [number, bin] : bins) {
        for (std::size_t t = 0; t < width; ++t) {
            bin.rmse[t] = std::sqrt(bin.rmse[t] / double(bin.windows));
            bin.bias[t] /= double(bin.windows);
        }
        found.push_back(std::move(bin));
    }
    return found;
}

}  // namespace edgeloop
