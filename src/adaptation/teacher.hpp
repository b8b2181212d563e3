#pragma once

#include "edgeloop/adaptation/adapt.hpp"
#include "edgeloop/adaptation/labelled_clips.hpp"
#include "edgeloop/adaptation/network.hpp"
#include "edgeloop/adaptation/optimiser.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/preprocessing/resize.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace edgeloop::adaptation {

/// From crops to what the network's first layer reads, in floats: as CropModel does.
class ClipReader {
  public:
    /// @throws ConfigError  as CropModel.
    explicit ClipReader(const inference::Graph& graph);

    [[nodiscard]] const std::vector<inference::OutputTarget>& targets() const { return targets_; }
    /// @param crops  (frames, crop_side, crop_side).   @param clip  (frames, side, side).
    void read(const std::uint8_t* crops, float* clip) const;

  private:
    std::vector<inference::OutputTarget> targets_;
    int frames_, side_;
    bool is_real_;
    int zero_;
    float step_ = 1;
    std::unique_ptr<Resizer> resizer_;
};

/// Steps of a network against the mean squared error of targets, divided by their scales.
class Teacher {
  public:
    /// @param limit_bytes  of the network.
    Teacher(inference::Graph graph, std::size_t limit_bytes, const AdaptOptions& options);

    /// All epochs; the learning rate falls to 0 as half a cosine.
    /// @throws Stopped  the options say so.
    void teach(const LabelledClips& clips, std::vector<std::size_t> which);

    [[nodiscard]] const Network& network() const { return network_; }
    [[nodiscard]] std::size_t optimiser_bytes() const { return optimiser_.bytes(); }
    [[nodiscard]] inference::Graph take_graph() { return network_.take_graph(); }

  private:
    void add_clip(const LabelledClips& clips, std::size_t clip);

    const AdaptOptions& options_;
    ClipReader reader_;
    Network network_;
    Optimiser optimiser_;
    std::vector<std::uint8_t> crops_;
    std::vector<float> clip_, slope_;
};

}  // namespace edgeloop::adaptation
