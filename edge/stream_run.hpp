#pragma once

#include "frame_source.hpp"
#include "latency_histogram.hpp"
#include "prediction_sink.hpp"

#include "edgeloop/core/json.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

struct StreamSettings {
    int height = crop_side, width = crop_side;  ///< of the camera's frames
    int stride = 0;                             ///< frames from window to window
    std::optional<PixelPosition>
        centre;              ///< of the crop; none: where the first frames are brightest
    double rate = 0;         ///< frames a second; 0: as they come
    bool is_live = false;    ///< the source keeps the rate; else frames are taken at it
    double deadline_us = 0;  ///< from the last frame of a window to its prediction; 0: none
    bool has_reuse = true;   ///< of what neighbouring windows have in common
};

/// What a stream came to.
struct StreamFigures {
    std::int64_t frames = 0, windows = 0;
    std::int64_t missed = 0;       ///< predictions after their deadline
    std::int64_t late_frames = 0;  ///< that came a period or more after their time
    double seconds = 0;
    LatencyHistogram latency;
    std::int64_t resident_kib = 0, later_resident_kib = 0;  ///< after the first window, at the end

    [[nodiscard]] Json json(const StreamSettings& settings, const inference::Work& work) const;
    /// The same in lines.
    [[nodiscard]] std::string text(const StreamSettings& settings) const;
};

/// Predicts each window of a stream of frames: window k has the frames from k * stride on. Windows
/// know nothing of scan lines. After the first window it allocates nothing.
class StreamRun {
  public:
    /// @param model  made with the stride, where there is reuse (reused_stride()).
    StreamRun(inference::CropModel& model, const StreamSettings& settings);

    /// Runs until the frames end. Figures are up to date also when this throws.
    /// @throws ConfigError  there are fewer frames than a window has; as FrameSource,
    /// PredictionSink.
    void run(FrameSource& source, PredictionSink& sink);

    [[nodiscard]] const StreamFigures& figures() const { return figures_; }

  private:
    [[nodiscard]] bool take(FrameSource& source, std::uint8_t* crop);
    [[nodiscard]] bool skip(FrameSource& source, int count);
    [[nodiscard]] bool take_first(FrameSource& source);
    [[nodiscard]] bool take_next(FrameSource& source);
    [[nodiscard]] std::int64_t wait_for_frame();
    void note_arrival(std::int64_t due, FrameSource::Take how);
    void answer(bool is_moved, const FrameSource& source, PredictionSink& sink);

    inference::CropModel& model_;
    StreamSettings settings_;
    std::size_t window_;
    bool moves_;  ///< the session keeps what windows have in common
    PixelPosition centre_;
    std::vector<std::uint8_t> frame_, crops_;
    std::vector<float> values_;
    std::int64_t period_ns_, start_ns_ = 0, arrival_ns_ = 0;
    StreamFigures figures_;
};

/// The stride to make the model with; 0 where windows have nothing in common.
[[nodiscard]] int reused_stride(const StreamSettings& settings, int frames);

}  // namespace edgeloop
