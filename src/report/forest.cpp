#include "report/forest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace edgeloop::report {
namespace {

constexpr double below_all = -std::numeric_limits<double>::infinity();

double ordered(double value) { return std::isnan(value) ? below_all : value; }
std::size_t category(double value) {
    return std::isnan(value) ? 0 : static_cast<std::size_t>(value) + 1;
}

}  // namespace

/// Grows one tree.
class Forest::Grower {
  public:
    Grower(const std::vector<Feature>& features, const std::vector<double>& target,
           const ForestSettings& settings, RandomStream& random)
        : features_(features), target_(target), settings_(settings), random_(random) {}

    Tree grow(std::vector<std::size_t> rows) {
        rows_ = std::move(rows);
        tree_.emplace_back();
        struct Range {
            std::size_t node, first, last;
        };
        std::vector<Range> open{{0, 0, rows_.size()}};
        while (!open.empty()) {
            const Range range = open.back();
            open.pop_back();
            const std::size_t middle = split(range.node, range.first, range.last);
            if (middle == range.first) continue;
            const std::size_t left = tree_.size();
            tree_[range.node].left = left;
            tree_[range.node].right = left + 1;
            tree_.resize(left + 2);
            open.push_back({left, range.first, middle});
            open.push_back({left + 1, middle, range.last});
        }
        return std::move(tree_);
    }

  private:
    struct Split {
        double gain = 0, threshold = 0;
        std::size_t feature = 0;
        std::vector<bool> goes_left;
    };

    /// Where the right part begins; `first`: the node is a leaf.
    std::size_t split(std::size_t node, std::size_t first, std::size_t last) {
        double sum = 0;
        for (std::size_t i = first; i < last; ++i) sum += target_[rows_[i]];
        tree_[node].value = sum / static_cast<double>(last - first);
        if (last - first < 2 * settings_.least_leaf) return first;
        const std::size_t tried = std::max<std::size_t>(3, (features_.size() + 2) / 3);
        std::vector<std::size_t> order(features_.size());
        std::iota(order.begin(), order.end(), std::size_t(0));
        random_.shuffle(order);
        Split best;
        std::size_t looked_at = 0;
        for (const std::size_t feature : order) {
            if (looked_at == tried && best.gain > 0) break;  // look on while nothing splits
            looked_at = std::min(looked_at + 1, tried);
            consider(feature, first, last, best);
        }
        if (best.gain <= 0) return first;
        const auto begin = rows_.begin() + static_cast<std::ptrdiff_t>(first);
        const auto middle = std::stable_partition(
            begin, rows_.begin() + static_cast<std::ptrdiff_t>(last), [&](std::size_t row) {
                const double value = features_[best.feature].values[row];
                return best.goes_left.empty() ? ordered(value) <= best.threshold
                                              : bool(best.goes_left[category(value)]);
            });
        tree_[node].feature = best.feature;
        tree_[node].threshold = best.threshold;
        tree_[node].goes_left = std::move(best.goes_left);
        return static_cast<std::size_t>(middle - rows_.begin());
    }

    /// What stands for a value in the order of splits: itself, or the mean of its category.
    void key_rows(const Feature& feature, std::size_t first, std::size_t last) {
        keyed_.clear();
        if (feature.categories == 0) {
            for (std::size_t i = first; i < last; ++i)
                keyed_.emplace_back(ordered(feature.values[rows_[i]]), target_[rows_[i]]);
            return;
        }
        sums_.clear();
        for (std::size_t i = first; i < last; ++i) {
            const std::size_t kind = category(feature.values[rows_[i]]);
            if (kind >= sums_.size()) sums_.resize(kind + 1);
            sums_[kind].first += target_[rows_[i]];
            sums_[kind].second += 1;
        }
        for (auto& [sum, count] : sums_) sum = count > 0 ? sum / count : below_all;
        for (std::size_t i = first; i < last; ++i)
            keyed_.emplace_back(sums_[category(feature.values[rows_[i]])].first, target_[rows_[i]]);
    }

    /// Takes the split of this feature that lowers the squared error most, if it beats `best`.
    void consider(std::size_t feature, std::size_t first, std::size_t last, Split& best) {
        key_rows(features_[feature], first, last);
        std::sort(keyed_.begin(), keyed_.end());
        const auto count = static_cast<double>(keyed_.size());
        double total = 0, left = 0;
        for (const auto& each : keyed_) total += each.second;
        for (std::size_t i = 0; i + settings_.least_leaf < keyed_.size(); ++i) {
            left += keyed_[i].second;
            if (i + 1 < settings_.least_leaf || keyed_[i].first == keyed_[i + 1].first) continue;
            const auto on_left = static_cast<double>(i + 1);
            const double right = total - left;
            const double gain =
                left * left / on_left + right * right / (count - on_left) - total * total / count;
            if (gain <= best.gain * (1 + 1e-12) + 1e-300) continue;
            best.gain = gain;
            best.feature = feature;
            best.threshold = keyed_[i].first;
            best.goes_left.clear();
        }
        if (best.feature == feature && best.gain > 0 && features_[feature].categories > 0 &&
            best.goes_left.empty()) {
            // Categories beyond those of the node go right; so do all that no row of it has.
            best.goes_left.assign(features_[feature].categories + 1, false);
            for (std::size_t kind = 0; kind < sums_.size(); ++kind)
                best.goes_left[kind] =
                    sums_[kind].second > 0 && sums_[kind].first <= best.threshold;
        }
    }

    const std::vector<Feature>& features_;
    const std::vector<double>& target_;
    const ForestSettings& settings_;
    RandomStream& random_;
    Tree tree_;
    std::vector<std::size_t> rows_;
    std::vector<std::pair<double, double>> keyed_, sums_;
};

Forest::Forest(const std::vector<Feature>& features, const std::vector<double>& target,
               const std::vector<std::size_t>& rows, const ForestSettings& settings,
               RandomStream& random) {
    for (int tree = 0; tree < settings.trees; ++tree) {
        std::vector<std::size_t> drawn;
        for (std::size_t i = 0; i < rows.size(); ++i)
            drawn.push_back(rows[random.below(rows.size())]);
        trees_.push_back(Grower(features, target, settings, random).grow(std::move(drawn)));
    }
}

double Forest::predict(const std::vector<Feature>& features, std::size_t row, std::size_t swapped,
                       std::size_t other) const {
    double sum = 0;
    for (const Tree& tree : trees_) {
        std::size_t at = 0;
        while (tree[at].left > 0) {
            const Node& node = tree[at];
            const double value =
                features[node.feature].values[node.feature == swapped ? other : row];
            const bool left = node.goes_left.empty() ? ordered(value) <= node.threshold
                                                     : bool(node.goes_left[category(value)]);
            at = left ? node.left : node.right;
        }
        sum += tree[at].value;
    }
    return sum / static_cast<double>(trees_.size());
}

}  // namespace edgeloop::report
