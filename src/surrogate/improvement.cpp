#include "edgeloop/surrogate/improvement.hpp"

#include <algorithm>
#include <limits>

namespace edgeloop {
namespace {

/// So many that the boxes stay in the thousands.
std::size_t max_members(std::size_t objectives) {
    if (objectives <= 2) return std::numeric_limits<std::size_t>::max();
    return objectives == 3 ? 60 : 15;
}

Points non_dominated(const Points& points, const Point& reference) {
    Points kept;
    for (const Point& point : points) {
        if (!strictly_dominates(point, reference)) continue;
        const auto worse = [&](const Point& other) { return weakly_dominates(point, other); };
        if (std::any_of(kept.begin(), kept.end(),
                        [&](const Point& other) { return weakly_dominates(other, point); }))
            continue;
        kept.erase(std::remove_if(kept.begin(), kept.end(), worse), kept.end());
        kept.push_back(point);
    }
    return kept;
}

/// The best of each objective, and others spread along the first.
Points thinned(Points points, std::size_t count) {
    if (points.size() <= count) return points;
    std::sort(points.begin(), points.end());
    Points kept;
    for (std::size_t i = 1; i < points.front().size(); ++i) {
        kept.push_back(
            *std::min_element(points.begin(), points.end(),
                              [i](const Point& a, const Point& b) { return a[i] < b[i]; }));
        --count;
    }
    for (std::size_t i = 0; i < count; ++i)
        kept.push_back(points[i * (points.size() - 1) / (count - 1)]);
    return kept;
}

}  // namespace

ImprovementRegion::ImprovementRegion(const Points& front, const Point& reference)
    : limits_(reference.size()) {
    const Points members = thinned(non_dominated(front, reference), max_members(reference.size()));
    for (std::size_t i = 0; i < reference.size(); ++i) {
        Point& limits = limits_[i];
        for (const Point& member : members) limits.push_back(member[i]);
        limits.push_back(reference[i]);
        std::sort(limits.begin(), limits.end());
        limits.erase(std::unique(limits.begin(), limits.end()), limits.end());
        limits.insert(limits.begin(), -std::numeric_limits<double>::infinity());
    }
    slice(members, reference.size(), Box(reference.size()));
}

void ImprovementRegion::slice(const Points& front, std::size_t objective, Box box) {
    // What is left is the region of the first `objective` objectives that `front` does not
    // dominate there.
    const std::size_t last = objective - 1;
    const Point& limits = limits_[last];
    if (last == 0) {
        std::size_t upper = limits.size() - 1;
        for (const Point& member : front)
            upper = std::min(upper, static_cast<std::size_t>(
                                        std::lower_bound(limits.begin(), limits.end(), member[0]) -
                                        limits.begin()));
        box[0] = {0, upper};
        boxes_.push_back(std::move(box));
        return;
    }
    // Between two neighbouring values of the front the same members dominate.
    std::vector<std::size_t> cuts{0};
    for (const Point& member : front)
        cuts.push_back(static_cast<std::size_t>(
            std::lower_bound(limits.begin(), limits.end(), member[last]) - limits.begin()));
    cuts.push_back(limits.size() - 1);
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    for (std::size_t k = 0; k + 1 < cuts.size(); ++k) {
        Points below;
        for (const Point& member : front)
            if (member[last] <= limits[cuts[k]]) below.push_back(member);
        box[last] = {cuts[k], cuts[k + 1]};
        slice(below, last, box);
    }
}

double ImprovementRegion::expected(const std::vector<Belief>& beliefs) const {
    // Shortfalls below each limit, once for all boxes.
    Points shortfalls(limits_.size());
    for (std::size_t i = 0; i < limits_.size(); ++i) {
        shortfalls[i].resize(limits_[i].size());
        for (std::size_t k = 1; k < limits_[i].size(); ++k)
            shortfalls[i][k] = beliefs[i].shortfall(limits_[i][k]);
    }
    double sum = 0;
    for (const Box& box : boxes_) {
        double volume = 1;
        for (std::size_t i = 0; i < box.size() && volume > 0; ++i)
            volume *= shortfalls[i][box[i].second] - shortfalls[i][box[i].first];
        sum += volume;
    }
    return sum;
}

}  // namespace edgeloop
