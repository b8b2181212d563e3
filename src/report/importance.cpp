#include "report/importance.hpp"

#include "report/forest.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

namespace edgeloop::report {
namespace {

constexpr int halvings = 10;
constexpr std::size_t max_learnt = 3000;
constexpr double wide = 30;  // a range that is better seen in logarithms

Feature feature_of(const Column& column) {
    Feature feature;
    if (column.is_number) {
        feature.values = column.numbers;
        return feature;
    }
    std::unordered_map<std::string, double> known;
    for (const std::string& text : column.texts)
        feature.values.push_back(
            text.empty()
                ? missing
                : known.try_emplace(text, static_cast<double>(known.size())).first->second);
    feature.categories = known.size();
    return feature;
}

bool varies(const Feature& feature, const std::vector<std::size_t>& rows) {
    const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    return std::any_of(rows.begin(), rows.end(), [&](std::size_t row) {
        return !same(feature.values[row], feature.values[rows.front()]);
    });
}

/// Rows with a value, evenly thinned.
std::vector<std::size_t> learnt_rows(const std::vector<double>& target) {
    std::vector<std::size_t> rows;
    for (std::size_t row = 0; row < target.size(); ++row)
        if (std::isfinite(target[row])) rows.push_back(row);
    if (rows.size() <= max_learnt) return rows;
    std::vector<std::size_t> some;
    for (std::size_t i = 0; i < max_learnt; ++i) some.push_back(rows[i * rows.size() / max_learnt]);
    return some;
}

struct Sums {
    double sum = 0, squares = 0;
    int count = 0;
    void add(double value) { sum += value, squares += value * value, ++count; }
    [[nodiscard]] double mean() const { return count > 0 ? sum / count : missing; }
    [[nodiscard]] double deviation() const {
        if (count < 2) return 0;
        return std::sqrt(std::max(0.0, (squares - sum * sum / count) / (count - 1)));
    }
};

/// One halving: learns from one half, tests on the other.
class Halving {
  public:
    Halving(const std::vector<Feature>& features, const std::vector<double>& target,
            std::vector<std::size_t> rows, RandomStream& random)
        : features_(features), target_(target), random_(random) {
        random.shuffle(rows);
        const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2);
        learnt_.assign(rows.begin(), middle);
        tested_.assign(middle, rows.end());
    }

    void run(std::vector<Sums>& shares, std::vector<Sums>& predicted, Sums& unexplained) {
        const Forest forest(features_, target_, learnt_, {}, random_);
        const std::size_t none = features_.size();
        double mean = 0, variance = 0, error = 0;
        for (const std::size_t row : tested_) mean += target_[row];
        mean /= static_cast<double>(tested_.size());
        for (const std::size_t row : tested_) {
            const double value = forest.predict(features_, row, none, row);
            predicted[row].add(value);
            error += (value - target_[row]) * (value - target_[row]);
            variance += (target_[row] - mean) * (target_[row] - mean);
        }
        if (variance <= 0) return;
        unexplained.add(error / variance);
        for (std::size_t feature = 0; feature < features_.size(); ++feature) {
            std::vector<std::size_t> others = tested_;
            random_.shuffle(others);
            double worse = 0;
            for (std::size_t i = 0; i < tested_.size(); ++i) {
                const double value = forest.predict(features_, tested_[i], feature, others[i]);
                worse += (value - target_[tested_[i]]) * (value - target_[tested_[i]]);
            }
            shares[feature].add((worse - error) / (2 * variance));
        }
    }

  private:
    const std::vector<Feature>& features_;
    const std::vector<double>& target_;
    RandomStream& random_;
    std::vector<std::size_t> learnt_, tested_;
};

/// Most important first; equal ones in the order of the genes.
void rank_genes(Importance& found, const std::vector<const Column*>& genes,
                const std::vector<Sums>& shares) {
    std::vector<std::size_t> order(genes.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    const auto share = [&](std::size_t i) { return shares[i].count > 0 ? shares[i].mean() : 0.0; };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return share(a) > share(b); });
    for (const std::size_t i : order) {
        found.genes.push_back(genes[i]->name);
        found.shares.push_back(share(i));
        found.errors.push_back(shares[i].deviation());
    }
}

Importance importance_of(const RunView& run, const Column& objective) {
    Importance found;
    found.objective = objective.name;
    std::vector<double> target = objective.numbers;
    std::vector<std::size_t> rows = learnt_rows(target);
    found.designs = rows.size();
    if (rows.size() < least_designs) return found;
    const auto [least, most] = std::minmax_element(
        rows.begin(), rows.end(), [&](auto a, auto b) { return target[a] < target[b]; });
    found.in_logarithm = target[*least] > 0 && target[*most] > wide * target[*least];
    if (found.in_logarithm)
        for (double& value : target) value = std::log(value);
    std::vector<const Column*> genes;
    std::vector<Feature> features;
    for (const Column& column : run.columns) {
        if (column.role != Role::gene) continue;
        Feature feature = feature_of(column);
        if (!varies(feature, rows)) continue;
        genes.push_back(&column);
        features.push_back(std::move(feature));
    }
    if (genes.empty()) return found;
    std::vector<Sums> shares(genes.size()), predicted(run.rows);
    Sums unexplained;
    for (int halving = 0; halving < halvings; ++halving) {
        RandomStream random(1, "report.importance", static_cast<std::uint32_t>(halving));
        Halving(features, target, rows, random).run(shares, predicted, unexplained);
    }
    rank_genes(found, genes, shares);
    found.r2 = unexplained.count > 0 ? 1 - unexplained.mean() : 0;
    for (const Sums& each : predicted)
        found.predicted.push_back(found.in_logarithm ? std::exp(each.mean()) : each.mean());
    return found;
}

}  // namespace

std::vector<Importance> importances(const RunView& run) {
    std::vector<Importance> found;
    for (const std::string& name : run.objectives)
        if (const Column* column = run.find(name); column != nullptr && column->is_number)
            found.push_back(importance_of(run, *column));
    return found;
}

}  // namespace edgeloop::report
