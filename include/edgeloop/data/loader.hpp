#pragma once

#include "edgeloop/data/dataset.hpp"
#include "edgeloop/data/split.hpp"
#include "edgeloop/data/window.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

struct LoaderOptions {
    SplitPart part = SplitPart::train;
    WindowRule window;
    int windows_per_line = 1;     ///< of validation and test, spread over each line; training has 1
    int batch = 8;                ///< samples per step on this rank
    std::uint64_t seed = 0;       ///< order and random window starts are keyed on (seed, epoch)
    int rank = 0, ranks = 1;      ///< this reader's share within its data-parallel group
    std::size_t max_samples = 0;  ///< first so many of a seeded choice of the part; 0: all
    int prefetch = 2;             ///< batches that a background thread prepares ahead; 0: none
    bool augment = false;         ///< flips and quarter turns, which change no target
    int side = 0;                 ///< height and width of clips; 0: only bytes are wanted
    Normalisation normalisation;  ///< of clips
    /// Gives memory for clips, e.g. such as a GPU copies from by itself; nothing: ordinary memory.
    std::function<std::shared_ptr<float>(std::size_t count)> clip_memory;
};

/// A batch as it leaves the loader.
struct Batch {
    std::size_t samples = 0;  ///< B; the last batch of an epoch may be smaller, even 0
    int frames = 0, height = 0, width = 0;
    std::vector<std::uint8_t> pixels;  ///< (B, T, height, width)
    std::shared_ptr<float> clips;      ///< (B, T, side, side): normalised and resized
    std::size_t clip_capacity = 0;     ///< numbers that fit into clips
    std::vector<float> targets;        ///< (B, targets of the catalogue), divided by their scales
    std::vector<std::uint64_t> lines;  ///< (B): global number of each scan line in the catalogue
};

/// Windows of the scan lines of one part of the split.
///
/// Every line of the part that the rule uses is seen exactly once an epoch over all ranks together
/// (validation and test: windows_per_line times, or as often as it has windows). All ranks make the
/// same number of steps; a rank whose share ran out delivers batches with samples == 0.
class Loader {
  public:
    /// @throws ConfigError  T, stride or batch impossible.
    Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    [[nodiscard]] std::size_t steps_per_epoch() const;
    /// Windows an epoch over all ranks.
    [[nodiscard]] std::size_t total_samples() const;
    /// Lines of the part that have no room for a window.
    [[nodiscard]] std::size_t lines_left_out() const;
    /// Begins an epoch at a step (0: its start). Training order depends on (seed, epoch) alone;
    /// validation and test keep catalogue order and the same windows.
    void start_epoch(int epoch, std::size_t step = 0);
    /// Fills `batch` (its memory is reused); false at the end of the epoch.
    [[nodiscard]] bool next(Batch& batch);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// As Resizer, for every image of a batch.
///
/// @param clips  (B, T, side, side) float32; the caller's memory. Axis of the one channel is
/// implied.
void normalise_and_resize(const Batch& batch, int side, float* clips,
                          const Normalisation& normalisation = {});

}  // namespace edgeloop
