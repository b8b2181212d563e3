#include "surrogate/metric_model.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace edgeloop {
namespace {

/// Bad results further than so many standard deviations above the mean count as if they were
/// there.
constexpr double worst_deviation = 2.5;
/// The same of results far better than all that the scale was made of.
constexpr double best_deviation = 4;
/// A rung's own values say how far apart they are from so many on.
constexpr std::size_t enough_results = 5;
/// A fit is made anew when so much more is known.
constexpr double growth = 0.1;
constexpr int first_steps = 40, further_steps = 15;
/// Of results, for the fit of parameters: more cost and hardly change them.
constexpr std::size_t fit_results = 200;

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// How far the median is above the best.
double reach_of(const std::vector<double>& values) {
    const double best = *std::min_element(values.begin(), values.end());
    return std::max({1e-9, 1e-6 * std::abs(best), median(values) - best});
}

std::vector<Observation> spread(const std::vector<Observation>& all, std::size_t count) {
    if (all.size() <= count) return all;
    std::vector<Observation> some;
    for (std::size_t i = 0; i < count; ++i) some.push_back(all[i * all.size() / count]);
    return some;
}

}  // namespace

void MetricModel::find_scales(const std::vector<MetricValue>& values) {
    top_ = 0;
    for (const MetricValue& value : values) top_ = std::max(top_, value.rung);
    scales_.assign(static_cast<std::size_t>(top_) + 1, {});
    for (std::size_t rung = 0; rung < scales_.size(); ++rung) {
        std::vector<double> here;
        for (const MetricValue& value : values)
            if (value.rung == static_cast<int>(rung)) here.push_back(value.value);
        if (here.empty()) continue;
        Scale& scale = scales_[rung];
        scale.used = true;
        scale.reach = reach_of(here);
        // A few that were promoted may be alike by chance.
        if (rung > 0 && scales_[rung - 1].used && here.size() < enough_results)
            scale.reach = std::max(scale.reach, scales_[rung - 1].reach / 2);
        scale.shift = *std::min_element(here.begin(), here.end()) - scale.reach;
        double sum = 0, squares = 0;
        for (const double value : here) {
            const double logarithm = std::log(value - scale.shift);
            sum += logarithm;
            squares += logarithm * logarithm;
        }
        const auto count = static_cast<double>(here.size());
        scale.centre = sum / count;
        scale.extent = std::sqrt(std::max(1e-6, squares / count - scale.centre * scale.centre));
        if (rung > 0 && scales_[rung - 1].used) align(values, rung);
    }
}

void MetricModel::align(const std::vector<MetricValue>& values, std::size_t rung) {
    const Scale& below = scales_[rung - 1];
    Scale& scale = scales_[rung];
    std::map<std::uint64_t, double> before;
    for (const MetricValue& value : values)
        if (value.rung == static_cast<int>(rung) - 1)
            before[value.id] = (std::log(value.value - below.shift) - below.centre) / below.extent;
    double count = 0, mean_x = 0, mean_y = 0;
    std::vector<std::pair<double, double>> pairs;
    for (const MetricValue& value : values) {
        const auto found = before.find(value.id);
        if (value.rung != static_cast<int>(rung) || found == before.end()) continue;
        pairs.emplace_back(found->second, std::log(value.value - scale.shift));
        mean_x += pairs.back().first;
        mean_y += pairs.back().second;
        ++count;
    }
    if (count < 1) return;
    mean_x /= count;
    mean_y /= count;
    // The promoted are the best of the rung below, so their own spread is no measure: a line
    // through both, drawn towards half of the spread below by as much as half a result.
    constexpr double prior_weight = 0.5, prior_slope = 0.5, least_slope = 0.1;
    double products = prior_weight * prior_slope * below.extent, squares = prior_weight;
    for (const auto& [x, y] : pairs) {
        products += (x - mean_x) * (y - mean_y);
        squares += (x - mean_x) * (x - mean_x);
    }
    scale.extent = std::max(least_slope * below.extent, products / squares);
    scale.centre = mean_y - scale.extent * mean_x;
}

double MetricModel::scaled(const MetricValue& value) const {
    const Scale& scale = scales_[static_cast<std::size_t>(value.rung)];
    const double above = std::max(1e-12, value.value - scale.shift);
    return std::clamp((std::log(above) - scale.centre) / scale.extent, -best_deviation,
                      worst_deviation);
}

Observation MetricModel::observation(const MetricValue& value) const {
    return {value.design, value.rung, scaled(value) - mean_, value.trainings};
}

std::vector<Observation> MetricModel::observations(const std::vector<MetricValue>& values) {
    find_scales(values);
    mean_ = 0;
    for (const MetricValue& value : values) mean_ += scaled(value);
    mean_ /= static_cast<double>(values.size());
    std::vector<Observation> observations;
    for (const MetricValue& value : values) observations.push_back(observation(value));
    return observations;
}

bool MetricModel::fit_is_due(std::uint64_t known, const FittedMetric& fitted) {
    const auto before = static_cast<double>(fitted.results);
    return fitted.parameters.empty() ||
           static_cast<double>(known) >= before + std::max(1.0, growth * before);
}

void MetricModel::fit(const std::vector<MetricValue>& values, FittedMetric& fitted) {
    const std::vector<Observation> some = spread(observations(values), fit_results);
    const bool never = fitted.parameters.empty();
    fitted.parameters =
        process_.fitted(some, never ? process_.initial_parameters() : fitted.parameters,
                        never ? first_steps : further_steps);
    process_.condition(some, fitted.parameters);
    fitted.skill = process_.skill();
}

void MetricModel::learn(const std::vector<MetricValue>& values, const FittedMetric& fitted) {
    process_.condition(observations(values), fitted.parameters);
}

void MetricModel::believe(const std::vector<MetricValue>& values) {
    std::vector<Observation> more;
    for (MetricValue value : values) {
        value.rung = std::min(value.rung, top_);
        more.push_back(observation(value));
    }
    if (!more.empty()) process_.extend(more);
}

std::vector<Belief> MetricModel::predict(const std::vector<const Encoded*>& designs,
                                         bool with_noise) const {
    const Scale& scale = scales_[static_cast<std::size_t>(top_)];
    const double noise = with_noise ? process_.noise() : 0;
    std::vector<Belief> beliefs;
    beliefs.reserve(designs.size());
    for (const GaussianProcess::Prediction& predicted : process_.predict(designs, top_))
        beliefs.push_back(
            Belief::log_normal(scale.shift, scale.centre + scale.extent * (mean_ + predicted.mean),
                               scale.extent * std::hypot(predicted.deviation, noise)));
    return beliefs;
}

}  // namespace edgeloop
