#pragma once

#include "edgeloop/data/dataset.hpp"
#include "edgeloop/data/split.hpp"
#include "edgeloop/data/window.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// What can be told of a window without a network.
struct WindowFacts {
    std::size_t group =
        0;              ///< number of its layer (or object): what cross-validation keeps together
    double frames = 0;  ///< of the recording, in the window
    double padded = 0;  ///< frames of the window that are none of the recording's
    /// Of the mean image, less its darkest tenth: mean grey, maximum, standard deviation along and
    /// across, skewness along (its size).
    std::array<double, 5> moments{};
    const float* targets = nullptr;  ///< divided by their scales
};

/// Of the middle window of a line that the rule uses.
/// @param line     shape (available, crop_side, crop_side).
/// @param targets  divided by their scales; must outlive the facts.
[[nodiscard]] WindowFacts facts_of(const std::uint8_t* line, std::size_t available,
                                   const WindowRule& rule, std::size_t group, const float* targets);

/// Moments of a clip's mean image, see WindowFacts. Shape (frames, crop_side, crop_side).
[[nodiscard]] std::array<double, 5> moments_of(const std::uint8_t* clip, int frames);

/// How well something simple predicts.
struct Baseline {
    std::string name;
    double rmse = 0;                  ///< all normalised targets together, as val_rmse
    double training_rmse = 0;         ///< the same in cross-validation on what it was fitted to
    std::vector<double> target_rmse;  ///< of each target, divided by its scale
    std::vector<double> r2;           ///< of each target
};

/// Fits on some windows, scores on others: the mean of the targets; and cubic polynomials, by ridge
/// regression, in the frames, the padding, the mean grey, mean and maximum grey, and
/// the five moments. The strength of the ridge is chosen by cross-validation over the groups.
///
/// REQUIRES: windows on both sides.
[[nodiscard]] std::vector<Baseline> baselines(const std::vector<WindowFacts>& train,
                                              const std::vector<WindowFacts>& held_out,
                                              std::size_t targets);

/// What the mean of the training lines' targets errs by on the validation lines, all those that the
/// rule uses. @throws ConfigError  no window fits.
[[nodiscard]] Baseline mean_baseline(const Dataset& dataset, const WindowRule& rule);

/// The one that cross-validation prefers: choosing by the held-out windows would flatter it.
[[nodiscard]] const Baseline& best_of(const std::vector<Baseline>& baselines);

/// The same for the middle windows of a dataset's training and validation lines, of at most a few
/// thousand spread evenly over each part.
///
/// @throws ConfigError  no window fits.
[[nodiscard]] std::vector<Baseline> baselines(const Dataset& dataset, const WindowRule& rule);

/// The same, fitted on so many of the training lines, and scored on all lines of a part that the
/// rule uses.
[[nodiscard]] std::vector<Baseline> baselines(const Dataset& dataset, const WindowRule& rule,
                                              SplitPart scored);

}  // namespace edgeloop
