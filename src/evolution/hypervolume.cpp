#include "edgeloop/evolution/hypervolume.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <iterator>
#include <map>

namespace edgeloop {
namespace {

/// Points strictly better than the reference everywhere.
Points inside(Points points, const Point& reference) {
    points.erase(
        std::remove_if(points.begin(), points.end(),
                       [&](const Point& point) { return !strictly_dominates(point, reference); }),
        points.end());
    return points;
}

/// Drops weakly dominated points, of equal ones all but one.
Points non_dominated(Points points) {
    std::sort(points.begin(), points.end());
    Points kept;
    for (const Point& point : points)
        if (std::none_of(kept.rbegin(), kept.rend(),
                         [&](const Point& other) { return weakly_dominates(other, point); }))
            kept.push_back(point);
    return kept;
}

/// Area in the plane of the first two objectives, grown point by point.
class Staircase {
  public:
    explicit Staircase(const Point& reference) : right_(reference[0]), top_(reference[1]) {
        steps_[-infinity] = top_;
        steps_[right_] = -infinity;
    }

    void insert(double x, double y) {
        auto next = steps_.lower_bound(x);
        const auto before = next->first == x ? next : std::prev(next);
        if (before->second <= y) return;
        // Walks to the right over the steps that the new point covers.
        double height = std::prev(next)->second, left = x;
        while (next->second >= y) {
            area_ += (next->first - left) * (height - y);
            left = next->first;
            height = next->second;
            next = steps_.erase(next);
        }
        area_ += (next->first - left) * (height - y);
        steps_[x] = y;
    }

    [[nodiscard]] double area() const { return area_; }

  private:
    double right_, top_;
    std::map<double, double> steps_;  // x of a corner to the lowest y at or right of it
    double area_ = 0;
};

double hypervolume_2d(const Points& points, const Point& reference) {
    Staircase stairs(reference);
    for (const Point& point : points) stairs.insert(point[0], point[1]);
    return stairs.area();
}

/// Sweeps along the third objective. O(N log N).
double hypervolume_3d(Points points, const Point& reference) {
    std::sort(points.begin(), points.end(),
              [](const Point& a, const Point& b) { return a[2] < b[2]; });
    Staircase stairs(reference);
    double volume = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        stairs.insert(points[i][0], points[i][1]);
        const double next = i + 1 < points.size() ? points[i + 1][2] : reference[2];
        volume += stairs.area() * (next - points[i][2]);
    }
    return volume;
}

/// Of 4 and more objectives: the sum over all points of what each adds to those after it.
/// Source: While, Bradstreet, Barone, "A fast way of calculating exact hypervolumes", IEEE Trans.
/// Evol. Comp. 16(1), 2012 (WFG), with the last objective sliced off.
double hypervolume_of(Points points, const Point& reference) {
    if (reference.size() == 2) return hypervolume_2d(points, reference);
    if (reference.size() == 3) return hypervolume_3d(std::move(points), reference);
    // Worst last objective first: what lies behind a point is then limited by it there, so the
    // overlap has one objective less.
    std::sort(points.begin(), points.end(),
              [](const Point& a, const Point& b) { return a.back() > b.back(); });
    const Point lower_reference(reference.begin(), reference.end() - 1);
    double volume = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const Point shadow(points[i].begin(), points[i].end() - 1);
        double box = 1;
        for (std::size_t m = 0; m < shadow.size(); ++m) box *= reference[m] - shadow[m];
        Points overlap;
        for (std::size_t j = i + 1; j < points.size(); ++j) {
            overlap.emplace_back(points[j].begin(), points[j].end() - 1);
            for (std::size_t m = 0; m < shadow.size(); ++m)
                overlap.back()[m] = std::max(overlap.back()[m], shadow[m]);
        }
        const double exclusive =
            box - hypervolume_of(non_dominated(std::move(overlap)), lower_reference);
        volume += exclusive * (reference.back() - points[i].back());
    }
    return volume;
}

}  // namespace

double hypervolume(const Points& points, const Point& reference) {
    if (reference.size() < 2) throw ConfigError("a hypervolume needs at least 2 objectives");
    for (const Point& point : points)
        if (point.size() != reference.size())
            throw ConfigError("points and reference of a hypervolume differ in length");
    return hypervolume_of(non_dominated(inside(points, reference)), reference);
}

}  // namespace edgeloop
