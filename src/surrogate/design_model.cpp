#include "edgeloop/surrogate/design_model.hpp"

#include "surrogate/metric_model.hpp"

#include "edgeloop/core/dominance.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

namespace edgeloop {
namespace {

/// Results that a model is made of: 240 give a prediction in milliseconds, and further ones far
/// from the front hardly change it.
constexpr std::size_t max_results = 240;
constexpr std::size_t near_front = 160;  ///< of these
/// Designs under way that are taken for done, the latest: more are too far apart to matter.
constexpr std::size_t max_under_way = 200;

/// By how much of the objectives' extent the nearest of the front is better in all of them.
std::vector<double> behind_front(const Points& points) {
    const std::size_t objectives = points.front().size();
    Point low(objectives, std::numeric_limits<double>::infinity()), high(objectives, -low[0]);
    for (const Point& point : points)
        for (std::size_t i = 0; i < objectives; ++i) {
            low[i] = std::min(low[i], point[i]);
            high[i] = std::max(high[i], point[i]);
        }
    // Sorted, a point is dominated only by earlier ones.
    std::vector<std::size_t> order(points.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
    Points front;
    for (const std::size_t i : order)
        if (std::none_of(front.begin(), front.end(),
                         [&](const Point& member) { return weakly_dominates(member, points[i]); }))
            front.push_back(points[i]);
    std::vector<double> behind;
    for (const Point& point : points) {
        double most = 0;
        for (const Point& member : front) {
            double least = std::numeric_limits<double>::infinity();
            for (std::size_t i = 0; i < objectives; ++i)
                least =
                    std::min(least, (point[i] - member[i]) / std::max(1e-300, high[i] - low[i]));
            most = std::max(most, least);
        }
        behind.push_back(most);
    }
    return behind;
}

}  // namespace

struct DesignModel::Parts {
    Parts(const SearchSpace& space, std::vector<std::string> names,
          std::vector<std::string> objectives)
        : encoding(space), metrics(std::move(names)), focus(std::move(objectives)) {}

    /// Objectives of a result; what training does not change is said with the first rung only.
    [[nodiscard]] Point point_of(
        const ModelResult& result,
        const std::map<std::uint64_t, const ModelResult*>& first_rung) const {
        const auto before = first_rung.find(result.id);
        Point point;
        for (const std::string& name : focus) {
            const auto own = result.metrics.find(name);
            if (own != result.metrics.end()) {
                point.push_back(own->second);
            } else if (before != first_rung.end()) {
                const auto settled = before->second->metrics.find(name);
                if (settled != before->second->metrics.end()) point.push_back(settled->second);
            }
        }
        return point;
    }

    /// Marks the results nearest to the front of those on the first rung, or of all others.
    void keep_nearest(const std::vector<ModelResult>& results, bool first_rung, std::size_t count,
                      std::vector<bool>& kept) const {
        std::map<std::uint64_t, const ModelResult*> first;
        for (const ModelResult& result : results)
            if (result.rung == 0) first[result.id] = &result;
        Points points;
        std::vector<std::size_t> complete;
        for (std::size_t i = 0; i < results.size(); ++i) {
            if ((results[i].rung == 0) != first_rung) continue;
            Point point = point_of(results[i], first);
            if (point.size() < focus.size()) continue;
            points.push_back(std::move(point));
            complete.push_back(i);
        }
        if (points.empty()) return;
        const std::vector<double> behind = behind_front(points);
        std::vector<std::size_t> order(points.size());
        std::iota(order.begin(), order.end(), std::size_t(0));
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return behind[a] < behind[b]; });
        for (std::size_t i = 0; i < std::min(count, order.size()); ++i)
            kept[complete[order[i]]] = true;
    }

    /// Of all results those that a model is made of, in their order.
    [[nodiscard]] std::vector<std::size_t> chosen(const std::vector<ModelResult>& results) const {
        std::vector<bool> kept(results.size(), results.size() <= max_results);
        if (results.size() > max_results) {
            keep_nearest(results, false, near_front / 2, kept);
            const auto count = [&] {
                return static_cast<std::size_t>(std::count(kept.begin(), kept.end(), true));
            };
            keep_nearest(results, true, near_front - count(), kept);
            // The others are spread over the run.
            const std::size_t left = max_results - count();
            for (std::size_t i = 0; i < left; ++i) kept[i * results.size() / left] = true;
        }
        std::vector<std::size_t> result;
        for (std::size_t i = 0; i < results.size(); ++i)
            if (kept[i]) result.push_back(i);
        return result;
    }

    /// Chooses what a model is made of.
    void take(const std::vector<ModelResult>& results) {
        used.clear();
        designs.clear();
        for (const std::size_t i : chosen(results))
            used.emplace_back(&results[i], encoded(results[i].genome));
    }

    [[nodiscard]] std::vector<MetricValue> values(const std::string& metric) const {
        std::vector<MetricValue> values;
        for (const auto& [result, design] : used)
            if (const auto found = result->metrics.find(metric); found != result->metrics.end())
                values.push_back(
                    {result->id, design, result->rung, found->second, result->trainings});
        return values;
    }

    [[nodiscard]] const Encoded* encoded(const Genome& genome) {
        designs.push_back(encoding.encode(genome));
        return &designs.back();
    }

    [[nodiscard]] std::vector<std::vector<Belief>> predict(
        const std::vector<const Encoded*>& wanted, bool with_noise) const {
        std::vector<std::vector<Belief>> beliefs(wanted.size());
        for (const MetricModel& model : models) {
            const std::vector<Belief> column = model.predict(wanted, with_noise);
            for (std::size_t i = 0; i < wanted.size(); ++i) beliefs[i].push_back(column[i]);
        }
        return beliefs;
    }

    DesignEncoding encoding;
    std::vector<std::string> metrics, focus;
    std::deque<Encoded> designs;  ///< that the models refer to
    std::vector<std::pair<const ModelResult*, const Encoded*>> used;
    std::vector<MetricModel> models;
};

DesignModel::DesignModel(const SearchSpace& space, std::vector<std::string> metrics,
                         std::vector<std::string> focus)
    : parts_(std::make_unique<Parts>(space, std::move(metrics), std::move(focus))) {}

DesignModel::~DesignModel() = default;

const std::vector<std::string>& DesignModel::metrics() const { return parts_->metrics; }

void DesignModel::fit(const std::vector<ModelResult>& results, FittedMetrics& fitted) {
    Parts& parts = *parts_;
    std::vector<const std::string*> due;
    for (const std::string& name : parts.metrics) {
        const auto has = [&](const ModelResult& result) { return result.metrics.count(name) > 0; };
        const auto known = std::count_if(results.begin(), results.end(), has);
        if (known > 0 && MetricModel::fit_is_due(static_cast<std::uint64_t>(known), fitted[name])) {
            fitted[name].results = static_cast<std::uint64_t>(known);
            due.push_back(&name);
        }
    }
    if (due.empty()) return;
    parts.take(results);
    for (const std::string* name : due)
        if (const std::vector<MetricValue> values = parts.values(*name); !values.empty())
            MetricModel(parts.encoding).fit(values, fitted[*name]);
}

bool DesignModel::learn(const std::vector<ModelResult>& results, const FittedMetrics& fitted) {
    Parts& parts = *parts_;
    parts.take(results);
    parts.models.clear();
    for (const std::string& name : parts.metrics) {
        const auto found = fitted.find(name);
        const std::vector<MetricValue> values = parts.values(name);
        if (found == fitted.end() || found->second.parameters.empty() || values.empty())
            return false;
        parts.models.emplace_back(parts.encoding);
        parts.models.back().learn(values, found->second);
    }
    return true;
}

void DesignModel::believe(const std::vector<ModelResult>& under_way) {
    if (under_way.empty()) return;
    Parts& parts = *parts_;
    const std::size_t first =
        under_way.size() > max_under_way ? under_way.size() - max_under_way : 0;
    std::vector<const Encoded*> designs;
    for (std::size_t i = first; i < under_way.size(); ++i)
        designs.push_back(parts.encoded(under_way[i].genome));
    const std::vector<std::vector<Belief>> beliefs = parts.predict(designs, false);
    for (std::size_t metric = 0; metric < parts.metrics.size(); ++metric) {
        std::vector<MetricValue> values;
        for (std::size_t i = 0; i < designs.size(); ++i) {
            const ModelResult& result = under_way[first + i];
            const auto known = result.metrics.find(parts.metrics[metric]);
            const double value =
                known != result.metrics.end() ? known->second : beliefs[i][metric].median();
            values.push_back({result.id, designs[i], std::numeric_limits<int>::max(), value, 1});
        }
        parts.models[metric].believe(values);
    }
}

std::vector<std::vector<Belief>> DesignModel::predict(
    const std::vector<const Genome*>& designs) const {
    std::vector<Encoded> encoded;
    encoded.reserve(designs.size());
    for (const Genome* design : designs) encoded.push_back(parts_->encoding.encode(*design));
    std::vector<const Encoded*> wanted;
    for (const Encoded& each : encoded) wanted.push_back(&each);
    return parts_->predict(wanted, false);
}

std::vector<Belief> DesignModel::expect(const Genome& design) const {
    const Encoded encoded = parts_->encoding.encode(design);
    return parts_->predict({&encoded}, true).front();
}

}  // namespace edgeloop
