#include "adaptation/teacher.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/inference/integer.hpp"
#include "edgeloop/inference/reference.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <cmath>

namespace edgeloop::adaptation {

ClipReader::ClipReader(const inference::Graph& graph)
    : targets_(inference::targets_of(graph)),
      frames_(graph.input.grid[0]),
      side_(graph.input.grid[2]),
      is_real_(graph.input_elements.are_real()),
      zero_(graph.input_elements.zero) {
    const Normalisation normalisation = inference::normalisation_of(graph);
    step_ = static_cast<float>(inference::input_scale(normalisation.deviation));
    resizer_ = std::make_unique<Resizer>(crop_side, crop_side, side_, normalisation);
}

void ClipReader::read(const std::uint8_t* crops, float* clip) const {
    const std::size_t pixels = std::size_t(side_) * std::size_t(side_);
    const std::size_t count = std::size_t(frames_) * pixels;
    if (!is_real_ && side_ == crop_side) {
        for (std::size_t i = 0; i < count; ++i)
            clip[i] = step_ * static_cast<float>(crops[i] - zero_);
        return;
    }
    for (std::size_t i = 0; i < std::size_t(frames_); ++i)
        resizer_->run(crops + i * crop_pixels, clip + i * pixels);
    if (is_real_) return;
    for (std::size_t i = 0; i < count; ++i)
        clip[i] =
            step_ * static_cast<float>(inference::clip_integer(clip[i], 1 / step_, zero_) - zero_);
}

Teacher::Teacher(inference::Graph graph, std::size_t limit_bytes, const AdaptOptions& options)
    : options_(options),
      reader_(graph),
      network_(std::move(graph), limit_bytes),
      optimiser_(network_.parameters().size(), options.optimiser),
      clip_(static_cast<std::size_t>(network_.inputs())),
      slope_(reader_.targets().size()) {}

void Teacher::teach(const LabelledClips& clips, std::vector<std::size_t> which) {
    crops_.resize(clips.frames() * crop_pixels);
    const auto batch = static_cast<std::size_t>(options_.batch);
    const std::size_t batches = (which.size() + batch - 1) / batch;
    const double steps = static_cast<double>(batches) * options_.epochs;
    double step = 0;
    for (int epoch = 0; epoch < options_.epochs; ++epoch) {
        RandomStream(options_.seed, "order of clips", static_cast<std::uint32_t>(epoch))
            .shuffle(which);
        for (std::size_t begin = 0; begin < which.size(); begin += batch) {
            if (options_.stop && options_.stop())
                throw Stopped("learning was stopped", "the model is as it was");
            const std::size_t end = std::min(begin + batch, which.size());
            network_.clear_gradients();
            for (std::size_t i = begin; i < end; ++i) add_clip(clips, which[i]);
            const double rate = options_.learning_rate * (1 + std::cos(pi * step / steps)) / 2;
            optimiser_.step(network_.parameters(), network_.gradients(),
                            1 / static_cast<double>(end - begin), rate);
            network_.clamp();
            ++step;
        }
    }
}

void Teacher::add_clip(const LabelledClips& clips, std::size_t clip) {
    clips.read(clip, crops_.data());
    reader_.read(crops_.data(), clip_.data());
    const float* const answer = network_.forward(clip_.data());
    for (std::size_t k = 0; k < slope_.size(); ++k) {
        const double expected = double(clips.expected(clip)[k]) / reader_.targets()[k].scale;
        slope_[k] = static_cast<float>(2 * (double(answer[k]) - expected) /
                                       static_cast<double>(slope_.size()));
    }
    network_.backward(slope_.data());
}

}  // namespace edgeloop::adaptation
