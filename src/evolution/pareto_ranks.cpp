#include "edgeloop/evolution/pareto_ranks.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>

namespace edgeloop {
namespace {

using Index = std::uint32_t;
/// Ascending indices into the lexicographic order: nobody is dominated by a later one.
using Indices = std::vector<Index>;

/// The best fronts seen at or below each height: a short table of (height, front), both strictly
/// ascending.
class FrontStairs {
  public:
    void clear() { steps_.clear(); }

    /// The first front that is still free for a point of this height.
    [[nodiscard]] Index free_front(Index height) const {
        const auto above = first_above(height);
        return above == steps_.begin() ? 0 : (above - 1)->front + 1;
    }

    void insert(Index height, Index front) {
        auto at = steps_.begin() + (first_above(height) - steps_.cbegin());
        if (at != steps_.begin()) {
            if ((at - 1)->front >= front) return;
            if ((at - 1)->height == height) --at;
        }
        const auto covered =
            std::find_if(at, steps_.end(), [&](const Step& step) { return step.front > front; });
        if (at == covered) {
            steps_.insert(at, {height, front});
            return;
        }
        *at = {height, front};
        steps_.erase(at + 1, covered);
    }

  private:
    struct Step {
        Index height, front;
    };

    [[nodiscard]] std::vector<Step>::const_iterator first_above(Index height) const {
        return std::partition_point(steps_.begin(), steps_.end(),
                                    [&](const Step& step) { return step.height <= height; });
    }

    std::vector<Step> steps_;
};

/// Divide and conquer over distinct points in lexicographic order. Values are replaced by their
/// position among the distinct values of their objective, which orders them alike and is faster to
/// compare.
class DivideAndConquer {
  public:
    /// @param places  shape (points, objectives), row by row.
    DivideAndConquer(std::vector<Index> places, std::size_t objectives)
        : places_(std::move(places)),
          objectives_(objectives),
          fronts_(places_.size() / objectives, 0) {}

    std::vector<Index> fronts() {
        Indices all(fronts_.size());
        std::iota(all.begin(), all.end(), Index{0});
        rank_among(all, objectives_ - 1);
        return std::move(fronts_);
    }

  private:
    static constexpr std::size_t few = 8;         // up to here comparing all pairs is faster
    static constexpr std::size_t few_pairs = 64;  // the same for pairs of two sets
    static constexpr std::less<> below{};
    static constexpr std::equal_to<> at{};
    static constexpr std::less_equal<> not_above{};
    static constexpr std::greater<> above{};

    [[nodiscard]] Index place(Index point, std::size_t objective) const {
        return places_[point * objectives_ + objective];
    }

    /// Whether a is at least as good as b in objectives 0 to `last`.
    [[nodiscard]] bool covers(Index a, Index b, std::size_t last) const {
        const Index* first = &places_[a * objectives_];
        const Index* second = &places_[b * objectives_];
        return std::equal(first, first + last + 1, second, std::less_equal<>());
    }

    void push_behind(Index point, Index other) {
        fronts_[point] = std::max(fronts_[point], fronts_[other] + 1);
    }

    /// Final fronts of `points` among themselves, given lower bounds; they differ in objectives 0
    /// to `last` and agree in those behind.
    void rank_among(const Indices& points, std::size_t last) {
        if (points.size() <= few) {
            for (std::size_t j = 1; j < points.size(); ++j)
                for (std::size_t i = 0; i < j; ++i)
                    if (covers(points[i], points[j], last)) push_behind(points[j], points[i]);
            return;
        }
        if (last == 1) {
            sweep(points);
            return;
        }
        if (all_equal(points, last)) {
            rank_among(points, last - 1);
            return;
        }
        const Index pivot = median(points, last);
        const Indices better = those(points, last, below, pivot),
                      equal = those(points, last, at, pivot);
        const Indices worse = those(points, last, above, pivot);
        rank_among(better, last);
        push_back(better, equal, last - 1);
        rank_among(equal, last - 1);
        push_back(those(points, last, not_above, pivot), worse, last - 1);
        rank_among(worse, last);
    }

    /// Moves `points` behind those of `leaders`, whose fronts are final, that cover them in
    /// objectives 0 to `last`; every leader is known to be better in one of those behind.
    void push_back(const Indices& leaders, const Indices& points, std::size_t last) {
        if (leaders.size() * points.size() <= few_pairs) {
            for (const Index point : points)
                for (const Index leader : leaders)
                    if (covers(leader, point, last)) push_behind(point, leader);
            return;
        }
        if (last == 1) {
            sweep(leaders, points);
            return;
        }
        const auto [best_leader, worst_leader] = extremes(leaders, last);
        const auto [best_point, worst_point] = extremes(points, last);
        if (worst_leader <= best_point) {
            push_back(leaders, points, last - 1);
            return;
        }
        if (best_leader > worst_point) return;
        const Index pivot = median(leaders, points, last);
        push_back(those(leaders, last, below, pivot), those(points, last, below, pivot), last);
        const Indices equal = those(points, last, at, pivot);
        push_back(those(leaders, last, not_above, pivot), equal, last - 1);
        const Indices worse = those(points, last, above, pivot);
        push_back(those(leaders, last, not_above, pivot), worse, last - 1);
        push_back(those(leaders, last, above, pivot), worse, last);
    }

    /// rank_among() for two objectives: along the first, keeping the fronts' lowest second values.
    void sweep(const Indices& points) {
        stairs_.clear();
        for (const Index point : points) {
            const Index height = place(point, 1);
            fronts_[point] = std::max(fronts_[point], stairs_.free_front(height));
            stairs_.insert(height, fronts_[point]);
        }
    }

    /// push_back() for two objectives.
    void sweep(const Indices& leaders, const Indices& points) {
        stairs_.clear();
        auto leader = leaders.begin();
        for (const Index point : points) {
            for (; leader != leaders.end() && place(*leader, 0) <= place(point, 0); ++leader)
                stairs_.insert(place(*leader, 1), fronts_[*leader]);
            fronts_[point] = std::max(fronts_[point], stairs_.free_front(place(point, 1)));
        }
    }

    struct Extremes {
        Index least, most;
    };
    [[nodiscard]] Extremes extremes(const Indices& points, std::size_t objective) const {
        Extremes found{place(points[0], objective), place(points[0], objective)};
        for (const Index point : points) {
            found.least = std::min(found.least, place(point, objective));
            found.most = std::max(found.most, place(point, objective));
        }
        return found;
    }

    [[nodiscard]] bool all_equal(const Indices& points, std::size_t objective) const {
        const Extremes found = extremes(points, objective);
        return found.least == found.most;
    }

    [[nodiscard]] Index median(const Indices& points, std::size_t objective) {
        return median(points, {}, objective);
    }

    /// Middle place of two sets together.
    [[nodiscard]] Index median(const Indices& a, const Indices& b, std::size_t objective) {
        scratch_.clear();
        for (const Indices* points : {&a, &b})
            for (const Index point : *points) scratch_.push_back(place(point, objective));
        const auto middle = scratch_.begin() + static_cast<std::ptrdiff_t>(scratch_.size() / 2);
        std::nth_element(scratch_.begin(), middle, scratch_.end());
        return *middle;
    }

    /// Those that compare to the pivot as `comparison` says.
    template <class Comparison>
    [[nodiscard]] Indices those(const Indices& points, std::size_t objective, Comparison comparison,
                                Index pivot) const {
        Indices chosen;
        chosen.reserve(points.size());
        for (const Index point : points)
            if (comparison(place(point, objective), pivot)) chosen.push_back(point);
        return chosen;
    }

    std::vector<Index> places_;
    std::size_t objectives_;
    std::vector<Index> fronts_;
    FrontStairs stairs_;
    std::vector<Index> scratch_;
};

std::vector<std::size_t> lexicographic_order(const Points& points) {
    std::vector<std::size_t> order(points.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
    return order;
}

/// Position of each of the points named by `rows` among the distinct values of every objective.
std::vector<Index> places_of(const Points& points, const std::vector<std::size_t>& rows) {
    const std::size_t objectives = points[rows[0]].size();
    std::vector<Index> places(rows.size() * objectives);
    std::vector<std::size_t> order(rows.size());
    for (std::size_t m = 0; m < objectives; ++m) {
        const auto value = [&](std::size_t k) { return points[rows[k]][m]; };
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::sort(order.begin(), order.end(),
                  [&](std::size_t a, std::size_t b) { return value(a) < value(b); });
        Index place = 0;
        for (std::size_t k = 0; k < order.size(); ++k) {
            if (k > 0 && value(order[k]) != value(order[k - 1])) ++place;
            places[order[k] * objectives + m] = place;
        }
    }
    return places;
}

}  // namespace

std::vector<std::size_t> pareto_ranks(const Points& points) {
    if (points.empty()) return {};
    const std::size_t objectives = points[0].size();
    for (const auto& point : points)
        EDGELOOP_EXPECT(point.size() == objectives && objectives > 0,
                        "all points need the same number of objectives");
    // Equal points are ranked once.
    const std::vector<std::size_t> order = lexicographic_order(points);
    std::vector<std::size_t> distinct, owner(order.size());
    for (const std::size_t i : order) {
        if (distinct.empty() || points[distinct.back()] != points[i]) distinct.push_back(i);
        owner[i] = distinct.size() - 1;
    }
    std::vector<std::size_t> ranks(points.size());
    if (objectives == 1) return owner;
    const std::vector<Index> fronts =
        DivideAndConquer(places_of(points, distinct), objectives).fronts();
    for (std::size_t i = 0; i < points.size(); ++i) ranks[i] = fronts[owner[i]];
    return ranks;
}

}  // namespace edgeloop
