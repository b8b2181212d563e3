#pragma once

#include "edgeloop/inference/session.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop::inference {

/// What one output of a network means.
struct OutputTarget {
    std::string name, unit;
    double scale = 1;  ///< physical value of an output of 1
};

/// What a model's metadata say of its outputs and of its clips.
/// @throws ConfigError  they lack it, or not one target for each output.
[[nodiscard]] std::vector<OutputTarget> targets_of(const Graph& graph);
[[nodiscard]] Normalisation normalisation_of(const Graph& graph);

/// A network that takes a camera's crops and gives physical values: normalises and resizes as its
/// metadata says. A run allocates nothing.
class CropModel {
  public:
    /// @throws ConfigError  as Session; the metadata lack the normalisation or a target.
    explicit CropModel(Graph graph, const SessionOptions& options = {});
    ~CropModel();

    [[nodiscard]] int frames() const;
    [[nodiscard]] int side()
        const;  ///< of the clip; a crop has crop_side (preprocessing/frames.hpp)
    [[nodiscard]] const std::vector<OutputTarget>& targets() const;
    [[nodiscard]] const Session& session() const;

    /// @param crops     (frames, crop_side, crop_side).
    /// @param physical  (targets), in their units.
    void run(const std::uint8_t* crops, float* physical);
    /// The next clip of a stream, as Session::run_moved().
    /// @param crops  (stride, crop_side, crop_side): the new ones.
    void run_moved(const std::uint8_t* crops, float* physical);
    /// @param clip  (frames, side, side), normalised.
    void run_clip(const float* clip, float* physical);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop::inference
