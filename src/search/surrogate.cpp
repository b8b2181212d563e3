#include "search/surrogate.hpp"

#include "edgeloop/core/cholesky.hpp"
#include "edgeloop/evolution/hypervolume.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace edgeloop {
namespace {

constexpr double ridge = 0.1;        // features lie in [-1, 1]: a tenth of an observation
constexpr double interaction = 0.5;  // expected size of an interaction, against that of a gene
const std::string cost_metric = "flops";
constexpr std::size_t max_crossed = 40;  // numbers whose products count; with more, none do

double dot(const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// Where a number lies in its domain, from -1 to 1, on the scale on which it varies.
double position(const Variable& variable, double gene) {
    const double low = variable.to_scale(variable.first());
    const double high = variable.to_scale(variable.last());
    return 2 * (variable.to_scale(gene) - low) / (high - low) - 1;
}

/// 1, a number for each gene (or for each choice but one, when they have no order), the squares and
/// the products of these.
std::vector<double> features_of(const SearchSpace& space, const Genome& genome) {
    std::vector<double> numbers, squares;
    for (std::size_t i = 0; i < genome.genes.size(); ++i) {
        const Variable& variable = space.variables()[i];
        const double gene = genome.genes[i];
        if (variable.last() <= variable.first()) continue;
        if (!variable.traits().is_ordered) {
            for (std::size_t choice = 1; choice < variable.choices.size(); ++choice)
                numbers.push_back(gene == static_cast<double>(choice) ? 1 : -1);
            continue;
        }
        numbers.push_back(position(variable, gene));
        squares.push_back(numbers.back() * numbers.back());
    }
    std::vector<double> features{1};
    features.insert(features.end(), numbers.begin(), numbers.end());
    features.insert(features.end(), squares.begin(), squares.end());
    if (numbers.size() > max_crossed) return features;
    for (std::size_t i = 0; i < numbers.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            features.push_back(interaction * numbers[i] * numbers[j]);
    return features;
}

/// Logarithms of the objectives and of the cost; nothing when an objective is missing or one of
/// them not positive.
std::optional<Metrics> logarithms(const Goals& goals, const Metrics& metrics) {
    Metrics logarithms;
    const auto add = [&](const std::string& name) {
        const auto found = metrics.find(name);
        if (found == metrics.end() || !(found->second > 0)) return false;
        logarithms[name] = std::log(found->second);
        return true;
    };
    for (const std::string& name : goals.objectives)
        if (!add(name)) return std::nullopt;
    if (metrics.count(cost_metric) > 0 && !add(cost_metric)) return std::nullopt;
    return logarithms;
}

/// On higher rungs what came before tells more than the genes do.
void append_results(const Goals& goals, const Metrics& results, std::vector<double>& features) {
    for (const std::string& name : goals.objectives) {
        const double result = results.at(name);
        features.insert(features.end(), {result, result * result});
    }
}

/// What only this point dominates. REQUIRES: it is better than the reference, and not dominated.
double own_volume(const std::vector<double>& point, const Points& rivals,
                  const std::vector<double>& reference) {
    double volume = 1;
    for (std::size_t i = 0; i < point.size(); ++i) volume *= reference[i] - point[i];
    Points shared = rivals;
    for (std::vector<double>& rival : shared)
        for (std::size_t i = 0; i < point.size(); ++i) rival[i] = std::max(rival[i], point[i]);
    return volume - hypervolume(shared, reference);
}

}  // namespace

double acquisition(const Prediction& prediction, const Points& rivals,
                   const std::vector<double>& reference) {
    bool counts = strictly_dominates(prediction.bound, reference);
    for (const std::vector<double>& rival : rivals)
        counts = counts && !weakly_dominates(rival, prediction.bound);
    if (counts) return own_volume(prediction.bound, rivals, reference) / prediction.cost;
    double lead = 0;
    for (const std::vector<double>& rival : rivals) {
        double smallest = std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < reference.size(); ++i)
            smallest = std::min(smallest, (prediction.bound[i] - rival[i]) /
                                              std::max(1e-300, std::abs(reference[i])));
        lead = std::max(lead, smallest);
    }
    return -lead;
}

void Surrogate::learn(const CompletedCandidate& completed, std::vector<SurfaceSums>& all) {
    const Candidate& candidate = completed.candidate;
    const bool first = candidate.rung == 0;
    const auto now = logarithms(goals_, completed.metrics);
    const auto before = logarithms(goals_, candidate.previous);
    if (!now || (!first && !before)) return;
    std::vector<double> features = features_of(space_, candidate.genome);
    if (!first) append_results(goals_, *before, features);
    SurfaceSums& sums = all[static_cast<std::size_t>(candidate.rung)];
    ++sums.count;
    sums.products.resize(triangle_row(features.size()));
    auto cell = sums.products.begin();
    for (std::size_t i = 0; i < features.size(); ++i)
        for (std::size_t j = 0; j <= i; ++j) *cell++ += features[i] * features[j];
    for (const auto& [name, logarithm] : *now) {
        const bool settled = name == cost_metric || completed.settled.count(name) > 0;
        if (!first && settled) continue;  // more training does not change it
        const double value = first ? logarithm : logarithm - before->at(name);
        SurfaceSums::Target& target = sums.targets[name];
        target.moments.resize(features.size());
        for (std::size_t k = 0; k < features.size(); ++k) target.moments[k] += features[k] * value;
        target.squares += value * value;
    }
}

const Surrogate::Surface& Surrogate::surface(std::size_t rung) const {
    surfaces_.resize(sums_.size());
    Surface& surface = surfaces_[rung];
    const SurfaceSums& sums = sums_[rung];
    if (surface.count == sums.count || sums.targets.empty()) return surface;
    const std::size_t size = sums.targets.begin()->second.moments.size();
    surface.factor = sums.products;
    surface.factor[0] += 1e-9;  // the mean is free
    for (std::size_t i = 1; i < size; ++i) surface.factor[triangle_row(i) + i] += ridge;
    cholesky(surface.factor, size);
    surface.count = sums.count;
    surface.lines.clear();
    const auto count = static_cast<double>(sums.count);
    const double freedom = std::max(count / 2, count - static_cast<double>(size));
    for (const auto& [name, target] : sums.targets) {
        Line line{name, solve_cholesky(surface.factor, target.moments), 0};
        line.variance = std::max(0.0, target.squares - dot(line.weights, target.moments)) / freedom;
        surface.lines.push_back(std::move(line));
    }
    return surface;
}

std::optional<Prediction> Surrogate::predict(const Genome& genome, const Metrics& known,
                                             int trained, double deviations) const {
    const auto first = static_cast<std::size_t>(trained + 1);
    if (surface(0).lines.empty()) return std::nullopt;
    Metrics means, variances;
    const auto look_up = [&](const std::string& name) {
        const auto found = known.find(name);
        if (found != known.end() && found->second > 0) means[name] = std::log(found->second);
    };
    for (const std::string& name : goals_.objectives) look_up(name);
    look_up(cost_metric);
    const Metrics certain = means;
    const std::vector<double> shape = features_of(space_, genome);
    for (std::size_t rung = first; rung < sums_.size(); ++rung) {
        const Surface& next = surface(rung);
        std::vector<double> features = shape;
        if (rung > 0) append_results(goals_, means, features);
        if (next.lines.empty()) continue;  // nobody was promoted so far: as if nothing changed
        const std::vector<double> reach = solve_lower(next.factor, features);
        for (const Line& line : next.lines) {
            if (rung == 0 && certain.count(line.target) > 0) continue;
            const double step = dot(line.weights, features);
            // Training on is not expected to make anything worse.
            means[line.target] += rung == 0 ? step : std::min(0.0, step);
            variances[line.target] += line.variance * (1 + dot(reach, reach));
        }
    }
    Prediction prediction;
    for (const std::string& name : goals_.objectives) {
        const double margin = deviations * std::sqrt(variances[name]);
        prediction.bound.push_back(std::exp(means[name] - margin));
        prediction.mean.push_back(std::exp(means[name]));
    }
    prediction.cost = std::exp(means[cost_metric]);  // exp(0) when nobody knows it
    return prediction;
}

}  // namespace edgeloop
