#include "edgeloop/data/loader.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/preprocessing/frames.hpp"
#include "edgeloop/preprocessing/resize.hpp"

#include <algorithm>
#include <deque>
#include <future>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

void check(const LoaderOptions& options) {
    const auto require = [](bool good, const char* name, auto value) {
        if (!good) throw ConfigError(fmt::format("{} {} is out of range", name, value));
    };
    const WindowRule& window = options.window;
    constexpr int max_frames = WindowRule::max_frames;
    require(window.frames >= 1 && window.frames <= max_frames, "window length", window.frames);
    require(window.stride >= 1 && window.stride <= max_frames, "frame stride", window.stride);
    require(window.margin >= 0 && window.margin <= max_frames, "margin", window.margin);
    require(options.windows_per_line >= 1, "number of windows a line", options.windows_per_line);
    require(options.batch >= 1, "batch size", options.batch);
    require(options.prefetch >= 0, "prefetch", options.prefetch);
    require(options.side >= 0, "side", options.side);
    EDGELOOP_EXPECT(options.ranks >= 1 && options.rank >= 0 && options.rank < options.ranks,
                    "rank outside its group");
}

/// A window to deliver: of validation and test, the `part`-th of a line's `parts`.
struct Place {
    const Sample* sample = nullptr;
    std::size_t part = 0, parts = 1;
};

/// The first `count` of a seeded shuffle, back in catalogue order.
std::vector<const Sample*> choose(std::vector<const Sample*> samples, std::size_t count,
                                  std::uint64_t seed) {
    RandomStream stream(seed, "data subset");
    stream.shuffle(samples);
    samples.resize(count);
    std::sort(samples.begin(), samples.end(),
              [](const Sample* a, const Sample* b) { return a->number < b->number; });
    return samples;
}

}  // namespace

struct Loader::Impl {
    Impl(std::shared_ptr<const Dataset> data, const LoaderOptions& given)
        : options(given), dataset(std::move(data)) {
        check(options);
        std::vector<const Sample*> used;
        for (const Sample& sample : dataset->samples(options.part))
            if (options.window.uses(static_cast<std::size_t>(sample.frames)))
                used.push_back(&sample);
        left_out = dataset->samples(options.part).size() - used.size();
        if (options.max_samples > 0 && options.max_samples < used.size())
            used = choose(std::move(used), options.max_samples, options.seed);
        for (const Sample* sample : used) {
            const std::size_t windows =
                training()
                    ? 1
                    : std::min(static_cast<std::size_t>(options.windows_per_line),
                               options.window.places(static_cast<std::size_t>(sample->frames)));
            for (std::size_t i = 0; i < windows; ++i) places.push_back({sample, i, windows});
        }
        EDGELOOP_EXPECT(places.size() <= std::numeric_limits<std::uint32_t>::max(),
                        "more samples than the order can hold");
    }

    [[nodiscard]] std::size_t samples_per_step() const {
        return static_cast<std::size_t>(options.batch) * static_cast<std::size_t>(options.ranks);
    }
    [[nodiscard]] std::size_t steps() const {
        return (places.size() + samples_per_step() - 1) / samples_per_step();
    }
    [[nodiscard]] bool training() const { return options.part == SplitPart::train; }

    void begin(int new_epoch, std::size_t step) {
        pending.clear();  // waits for what is begun
        epoch = new_epoch;
        next_step = step;
        order.resize(places.size());
        std::iota(order.begin(), order.end(), 0U);
        if (training()) {
            RandomStream stream(options.seed, "data order", static_cast<std::uint32_t>(epoch));
            stream.shuffle(order);
        }
        prepare_ahead();
    }

    /// The same step of another rank takes the neighbouring run of the epoch's order.
    void fill(std::size_t step, Batch& batch) const {
        const std::size_t begin =
            step * samples_per_step() +
            static_cast<std::size_t>(options.rank) * static_cast<std::size_t>(options.batch);
        const std::size_t first = std::min(begin, order.size());
        const std::size_t last =
            std::min(begin + static_cast<std::size_t>(options.batch), order.size());
        const std::size_t window = static_cast<std::size_t>(options.window.frames) * crop_pixels;
        batch.samples = last - first;
        batch.frames = options.window.frames;
        batch.height = batch.width = crop_side;
        batch.pixels.resize(batch.samples * window);
        const std::size_t targets = dataset->catalogue().targets.size();
        batch.targets.resize(targets * batch.samples);
        batch.lines.resize(batch.samples);
        for (std::size_t i = 0; i < batch.samples; ++i) {
            const Place& place = places[order[first + i]];
            const Sample& sample = *place.sample;
            copy_place(place, batch.pixels.data() + i * window);
            std::copy_n(sample.targets, targets, batch.targets.data() + i * targets);
            batch.lines[i] = sample.number;
        }
        if (options.side > 0) make_clips(batch);
    }

    void make_clips(Batch& batch) const {
        const auto side = static_cast<std::size_t>(options.side);
        const std::size_t count =
            batch.samples * static_cast<std::size_t>(options.window.frames) * side * side;
        if (batch.clip_capacity < count) {
            batch.clips =
                options.clip_memory
                    ? options.clip_memory(count)
                    : std::shared_ptr<float>(new float[count], std::default_delete<float[]>());
            batch.clip_capacity = count;
        }
        normalise_and_resize(batch, options.side, batch.clips.get(), options.normalisation);
    }

    void copy_place(const Place& place, std::uint8_t* window) const {
        const Sample& sample = *place.sample;
        const auto available = static_cast<std::size_t>(sample.frames);
        const std::size_t last = options.window.places(available) - 1;
        if (!training()) {
            // In the middle of equal parts of the line.
            const std::size_t at = ((last + 1) * (2 * place.part + 1) - 1) / (2 * place.parts);
            copy_window(sample.pixels, available, at, options.window, window);
            return;
        }
        RandomStream stream(options.seed, "data window", static_cast<std::uint32_t>(epoch),
                            sample.number);
        const std::size_t at = last > 0 ? stream.below(last + 1) : 0;
        copy_window(sample.pixels, available, at, options.window, window);
        if (options.augment)
            turn_clip(window, options.window.frames, crop_side, static_cast<int>(stream.below(8)));
    }

    [[nodiscard]] bool next(Batch& batch) {
        if (next_step >= steps()) return false;
        const std::size_t step = next_step++;
        if (options.prefetch == 0) {
            fill(step, batch);
            return true;
        }
        std::future<Batch> first = std::move(pending.front());
        pending.pop_front();
        spare.push_back(std::move(batch));
        batch = first.get();
        prepare_ahead();
        return true;
    }

    void prepare_ahead() {
        while (pending.size() < static_cast<std::size_t>(options.prefetch) &&
               next_step + pending.size() < steps()) {
            Batch batch;
            if (!spare.empty()) {
                batch = std::move(spare.back());
                spare.pop_back();
            }
            const std::size_t step = next_step + pending.size();
            pending.push_back(
                std::async(std::launch::async, [this, step, room = std::move(batch)]() mutable {
                    fill(step, room);
                    return std::move(room);
                }));
        }
    }

    LoaderOptions options;
    std::shared_ptr<const Dataset> dataset;
    std::vector<Place> places;         ///< in catalogue order
    std::size_t left_out = 0;          ///< lines without room for a window
    std::vector<std::uint32_t> order;  ///< positions in places, in this epoch's order
    int epoch = 0;
    std::size_t next_step = std::numeric_limits<std::size_t>::max();  ///< until an epoch begins

    std::vector<Batch> spare;  ///< memory to reuse
    /// Of the next steps. Last, so that they end before what they use.
    std::deque<std::future<Batch>> pending;
};

Loader::Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
    : impl_(std::make_unique<Impl>(std::move(dataset), options)) {}
Loader::~Loader() = default;
std::size_t Loader::steps_per_epoch() const { return impl_->steps(); }
std::size_t Loader::total_samples() const { return impl_->places.size(); }
std::size_t Loader::lines_left_out() const { return impl_->left_out; }
void Loader::start_epoch(int epoch, std::size_t step) { impl_->begin(epoch, step); }
bool Loader::next(Batch& batch) { return impl_->next(batch); }

void normalise_and_resize(const Batch& batch, int side, float* clips,
                          const Normalisation& normalisation) {
    const std::size_t images = batch.samples * static_cast<std::size_t>(batch.frames);
    const std::size_t input = static_cast<std::size_t>(batch.height) * std::size_t(batch.width);
    const std::size_t output = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
    EDGELOOP_EXPECT(batch.pixels.size() >= images * input, "a batch with too few pixels");
    Resizer resizer(batch.height, batch.width, side, normalisation);
    for (std::size_t i = 0; i < images; ++i)
        resizer.run(batch.pixels.data() + i * input, clips + i * output);
}

}  // namespace edgeloop
