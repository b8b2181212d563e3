#include "edgeloop/data/baselines.hpp"

#include "edgeloop/core/cholesky.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_folds = 5;
constexpr std::size_t max_windows = 3000;  // of a part: enough to fit and to score by

/// All products of up to three of the features.
std::vector<double> cubic(const std::vector<double>& features) {
    std::vector<double> terms = {1};
    for (std::size_t i = 0; i < features.size(); ++i) {
        terms.push_back(features[i]);
        for (std::size_t j = 0; j <= i; ++j) {
            terms.push_back(features[i] * features[j]);
            for (std::size_t k = 0; k <= j; ++k)
                terms.push_back(features[i] * features[j] * features[k]);
        }
    }
    return terms;
}

using Rows = std::vector<std::vector<double>>;

/// To mean 0 and standard deviation 1 of the training rows; constant columns become 0.
void standardise(Rows& train, Rows& held_out) {
    for (std::size_t column = 0; column < train.front().size(); ++column) {
        double mean = 0, square = 0;
        for (const auto& row : train) mean += row[column] / double(train.size());
        for (const auto& row : train)
            square += (row[column] - mean) * (row[column] - mean) / double(train.size());
        const double deviation = std::sqrt(square);
        const double scale = deviation > 1e-9 * std::max(1.0, std::abs(mean)) ? 1 / deviation : 0;
        for (Rows* rows : {&train, &held_out})
            // What lies far outside would make a cubic explode.
            for (auto& row : *rows)
                row[column] = std::clamp((row[column] - mean) * scale, -4.0, 4.0);
    }
}

/// Sums of a least squares fit.
struct NormalEquations {
    explicit NormalEquations(std::size_t terms, std::size_t targets)
        : products(triangle_row(terms)), moments(targets, std::vector<double>(terms)) {}

    void add(const std::vector<double>& terms, const float* targets) {
        std::size_t cell = 0;
        for (std::size_t i = 0; i < terms.size(); ++i)
            for (std::size_t j = 0; j <= i; ++j) products[cell++] += terms[i] * terms[j];
        for (std::size_t t = 0; t < moments.size(); ++t)
            for (std::size_t i = 0; i < terms.size(); ++i)
                moments[t][i] += terms[i] * double(targets[t]);
        count += 1;
    }
    void subtract(const NormalEquations& other) {
        for (std::size_t i = 0; i < products.size(); ++i) products[i] -= other.products[i];
        for (std::size_t t = 0; t < moments.size(); ++t)
            for (std::size_t i = 0; i < moments[t].size(); ++i)
                moments[t][i] -= other.moments[t][i];
        count -= other.count;
    }
    /// Weights for a target. The constant, which comes first, is not held back.
    [[nodiscard]] std::vector<double> solve(double ridge, std::size_t target) const {
        std::vector<double> factor = products;
        const std::size_t size = moments.front().size();
        factor[0] += 1e-9;
        for (std::size_t i = 1; i < size; ++i) factor[triangle_row(i) + i] += ridge * count;
        cholesky(factor, size);
        return solve_cholesky(factor, moments[target]);
    }

    std::vector<double> products;
    Rows moments;
    double count = 0;
};

double predict(const std::vector<double>& weights, const std::vector<double>& terms) {
    double sum = 0;
    for (std::size_t i = 0; i < terms.size(); ++i) sum += weights[i] * terms[i];
    return sum;
}

/// What cross-validation chose for each target, and how well it did on groups that were left out.
struct ChosenRidges {
    std::vector<double> ridges;
    double rmse = std::numeric_limits<double>::infinity();  ///< there; infinite: one group alone
};
ChosenRidges choose_ridges(const Rows& terms, const std::vector<WindowFacts>& windows,
                           const NormalEquations& all, std::size_t targets) {
    std::set<std::size_t> groups;
    for (const WindowFacts& window : windows) groups.insert(window.group);
    const std::vector<std::size_t> numbers(groups.begin(), groups.end());
    const std::size_t folds = std::min(max_folds, numbers.size());
    constexpr double middle = 1e-4;
    if (folds < 2) return {std::vector(targets, middle)};
    const auto fold_of = [&](const WindowFacts& window) {
        const auto place = std::lower_bound(numbers.begin(), numbers.end(), window.group);
        return static_cast<std::size_t>(place - numbers.begin()) % folds;
    };
    const std::vector<double> ridges = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};
    Rows errors(targets, std::vector<double>(ridges.size()));
    for (std::size_t fold = 0; fold < folds; ++fold) {
        NormalEquations left_out(terms.front().size(), targets), rest = all;
        for (std::size_t i = 0; i < windows.size(); ++i)
            if (fold_of(windows[i]) == fold) left_out.add(terms[i], windows[i].targets);
        rest.subtract(left_out);
        for (std::size_t t = 0; t < targets; ++t)
            for (std::size_t r = 0; r < ridges.size(); ++r) {
                const std::vector<double> weights = rest.solve(ridges[r], t);
                for (std::size_t i = 0; i < windows.size(); ++i) {
                    if (fold_of(windows[i]) != fold) continue;
                    const double error = predict(weights, terms[i]) - double(windows[i].targets[t]);
                    errors[t][r] += error * error;
                }
            }
    }
    ChosenRidges chosen;
    double sum = 0;
    for (std::vector<double>& of_target : errors) {
        for (double& error : of_target)  // not positive definite
            if (!(error >= 0)) error = std::numeric_limits<double>::infinity();
        const auto smallest = std::min_element(of_target.begin(), of_target.end());
        chosen.ridges.push_back(ridges[static_cast<std::size_t>(smallest - of_target.begin())]);
        sum += *smallest;
    }
    chosen.rmse = std::sqrt(sum / double(windows.size() * targets));
    return chosen;
}

/// Scores predictions, shape (held out, targets).
Baseline score(std::string name, const Rows& predictions, const std::vector<WindowFacts>& held_out,
               std::size_t targets) {
    Baseline baseline;
    baseline.name = std::move(name);
    const auto count = double(held_out.size());
    double total = 0;
    for (std::size_t t = 0; t < targets; ++t) {
        double mean = 0, variance = 0, error = 0;
        for (const WindowFacts& window : held_out) mean += double(window.targets[t]) / count;
        for (std::size_t i = 0; i < held_out.size(); ++i) {
            const double target = double(held_out[i].targets[t]);
            variance += (target - mean) * (target - mean) / count;
            error += (predictions[i][t] - target) * (predictions[i][t] - target) / count;
        }
        total += error;
        baseline.target_rmse.push_back(std::sqrt(error));
        baseline.r2.push_back(variance > 1e-12 ? 1 - error / variance : 0);
    }
    baseline.rmse = std::sqrt(total / double(targets));
    return baseline;
}

Baseline mean_of(const std::vector<WindowFacts>& train, const std::vector<WindowFacts>& held_out,
                 std::size_t targets) {
    std::vector<double> mean(targets);
    for (const WindowFacts& window : train)
        for (std::size_t t = 0; t < targets; ++t)
            mean[t] += double(window.targets[t]) / double(train.size());
    const char* const name = "mean of the training lines";
    Baseline baseline = score(name, Rows(held_out.size(), mean), held_out, targets);
    baseline.training_rmse = score(name, Rows(train.size(), mean), train, targets).rmse;
    return baseline;
}

using FeaturesOf = std::function<std::vector<double>(const WindowFacts&)>;

Baseline polynomial(const std::string& name, const FeaturesOf& features_of,
                    const std::vector<WindowFacts>& train, const std::vector<WindowFacts>& held_out,
                    std::size_t targets) {
    Rows fitted, scored;
    for (const WindowFacts& window : train) fitted.push_back(features_of(window));
    for (const WindowFacts& window : held_out) scored.push_back(features_of(window));
    standardise(fitted, scored);
    for (Rows* rows : {&fitted, &scored})
        for (auto& row : *rows) row = cubic(row);
    NormalEquations all(fitted.front().size(), targets);
    for (std::size_t i = 0; i < train.size(); ++i) all.add(fitted[i], train[i].targets);
    const ChosenRidges chosen = choose_ridges(fitted, train, all, targets);
    Rows predictions(held_out.size(), std::vector<double>(targets));
    for (std::size_t t = 0; t < targets; ++t) {
        const std::vector<double> weights = all.solve(chosen.ridges[t], t);
        for (std::size_t i = 0; i < scored.size(); ++i)
            predictions[i][t] = predict(weights, scored[i]);
    }
    Baseline baseline = score(name, predictions, held_out, targets);
    baseline.training_rmse = chosen.rmse;
    return baseline;
}

/// @param most  windows, or about so many, spread evenly over the part.
std::vector<WindowFacts> facts_of_part(const Dataset& dataset, SplitPart part,
                                       const WindowRule& rule, std::size_t most = max_windows) {
    const std::vector<CatalogueLayer>& layers = dataset.catalogue().layers;
    std::vector<WindowFacts> facts;
    std::size_t layer = 0;
    const std::vector<Sample>& samples = dataset.samples(part);
    // Odd, so that lines scanned forwards and backwards are both among them.
    const std::size_t step = 1 + 2 * (samples.size() / (2 * most));
    for (std::size_t i = 0; i < samples.size(); i += step) {
        const Sample& sample = samples[i];
        while (sample.number >= layers[layer].first_line + layers[layer].lines) ++layer;
        if (rule.uses(sample.frames))
            facts.push_back(facts_of(sample.pixels, sample.frames, rule, layer, sample.targets));
    }
    return facts;
}

/// Of all lines that the rule uses, without what their pixels say.
std::vector<WindowFacts> targets_of_part(const Dataset& dataset, SplitPart part,
                                         const WindowRule& rule) {
    std::vector<WindowFacts> facts;
    for (const Sample& sample : dataset.samples(part)) {
        if (!rule.uses(sample.frames)) continue;
        facts.emplace_back().targets = sample.targets;
    }
    return facts;
}

void require_windows(const std::vector<WindowFacts>& train,
                     const std::vector<WindowFacts>& held_out, const WindowRule& rule,
                     SplitPart scored = SplitPart::validation) {
    if (!train.empty() && !held_out.empty()) return;
    throw ConfigError(
        fmt::format("no scan line of the part '{}' has room for a window of {} frames with "
                    "stride {}",
                    name_of(train.empty() ? SplitPart::train : scored), rule.frames, rule.stride),
        fmt::format("a line needs {} frames", rule.needed()),
        "use fewer frames, a smaller stride or margin, or longer lines");
}

}  // namespace

WindowFacts facts_of(const std::uint8_t* line, std::size_t available, const WindowRule& rule,
                     std::size_t group, const float* targets) {
    std::vector<std::uint8_t> clip(static_cast<std::size_t>(rule.frames) * crop_pixels);
    copy_window(line, available, rule.middle_place(available), rule, clip.data());
    WindowFacts window;
    window.group = group;
    window.padded = double(rule.padded(available));
    window.frames = double(rule.frames) - window.padded;
    window.moments = moments_of(clip.data(), rule.frames);
    window.targets = targets;
    return window;
}

std::array<double, 5> moments_of(const std::uint8_t* clip, int frames) {
    std::array<double, crop_pixels> image{};
    for (int frame = 0; frame < frames; ++frame)
        for (std::size_t i = 0; i < crop_pixels; ++i)
            image[i] += clip[static_cast<std::size_t>(frame) * crop_pixels + i] / double(frames);
    std::array<double, crop_pixels> sorted = image;
    const auto tenth = sorted.begin() + crop_pixels / 10;
    std::nth_element(sorted.begin(), tenth, sorted.end());
    const double dark = *tenth;
    double sum = 0, top = 0, x = 0, y = 0;
    for (std::size_t i = 0; i < crop_pixels; ++i) {
        image[i] = std::max(0.0, image[i] - dark);
        sum += image[i];
        top = std::max(top, image[i]);
        x += image[i] * double(i % crop_side);
        y += image[i] * double(i / crop_side);
    }
    if (sum <= 0) return {0, 0, 0, 0, 0};
    x /= sum;
    y /= sum;
    double xx = 0, yy = 0, xy = 0;
    for (std::size_t i = 0; i < crop_pixels; ++i) {
        const double u = double(i % crop_side) - x, v = double(i / crop_side) - y;
        xx += image[i] * u * u / sum;
        yy += image[i] * v * v / sum;
        xy += image[i] * u * v / sum;
    }
    const double middle = (xx + yy) / 2, spread = std::hypot((xx - yy) / 2, xy);
    const double angle = 0.5 * std::atan2(2 * xy, xx - yy);
    double third = 0;
    for (std::size_t i = 0; i < crop_pixels; ++i) {
        const double along = (double(i % crop_side) - x) * std::cos(angle) +
                             (double(i / crop_side) - y) * std::sin(angle);
        third += image[i] * along * along * along / sum;
    }
    const double along = std::sqrt(std::max(0.0, middle + spread));
    return {sum / double(crop_pixels), top, along, std::sqrt(std::max(0.0, middle - spread)),
            along > 0 ? std::abs(third) / (along * along * along) : 0};
}

std::vector<Baseline> baselines(const std::vector<WindowFacts>& train,
                                const std::vector<WindowFacts>& held_out, std::size_t targets) {
    EDGELOOP_EXPECT(!train.empty() && !held_out.empty(), "windows to fit and to score");
    std::vector<Baseline> all = {mean_of(train, held_out, targets)};
    const auto add = [&](const char* name, const FeaturesOf& features) {
        all.push_back(polynomial(name, features, train, held_out, targets));
    };
    add("frames in the window", [](const WindowFacts& w) { return std::vector{w.frames}; });
    add("padded frames", [](const WindowFacts& w) { return std::vector{w.padded}; });
    add("mean grey", [](const WindowFacts& w) { return std::vector{w.moments[0]}; });
    add("mean and maximum grey", [](const WindowFacts& w) {
        return std::vector{w.moments[0], w.moments[1]};
    });
    add("five moments", [](const WindowFacts& w) {
        return std::vector<double>(w.moments.begin(), w.moments.end());
    });
    return all;
}

const Baseline& best_of(const std::vector<Baseline>& baselines) {
    return *std::min_element(
        baselines.begin(), baselines.end(),
        [](const Baseline& a, const Baseline& b) { return a.training_rmse < b.training_rmse; });
}

std::vector<Baseline> baselines(const Dataset& dataset, const WindowRule& rule) {
    const auto train = facts_of_part(dataset, SplitPart::train, rule);
    const auto held_out = facts_of_part(dataset, SplitPart::validation, rule);
    require_windows(train, held_out, rule);
    return baselines(train, held_out, dataset.catalogue().targets.size());
}

std::vector<Baseline> baselines(const Dataset& dataset, const WindowRule& rule, SplitPart scored) {
    const auto train = facts_of_part(dataset, SplitPart::train, rule);
    const auto held_out = facts_of_part(dataset, scored, rule,
                                        std::max<std::size_t>(dataset.samples(scored).size(), 1));
    require_windows(train, held_out, rule, scored);
    return baselines(train, held_out, dataset.catalogue().targets.size());
}

Baseline mean_baseline(const Dataset& dataset, const WindowRule& rule) {
    const auto train = targets_of_part(dataset, SplitPart::train, rule);
    const auto held_out = targets_of_part(dataset, SplitPart::validation, rule);
    require_windows(train, held_out, rule);
    return mean_of(train, held_out, dataset.catalogue().targets.size());
}

}  // namespace edgeloop
