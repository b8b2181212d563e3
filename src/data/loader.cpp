#include "edgeloop/data/loader.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/data/preprocessing.hpp"

#include <algorithm>
#include <deque>
#include <future>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr int max_frames = 4096;

void check(const LoaderOptions& options) {
    const auto require = [](bool good, const char* name, auto value) {
        if (!good) throw ConfigError(fmt::format("{} {} is out of range", name, value));
    };
    require(options.frames >= 1 && options.frames <= max_frames, "window length", options.frames);
    require(options.stride >= 1 && options.stride <= max_frames, "frame stride", options.stride);
    require(options.batch >= 1, "batch size", options.batch);
    require(options.prefetch >= 0, "prefetch", options.prefetch);
    require(options.side >= 0, "side", options.side);
    EDGELOOP_EXPECT(options.ranks >= 1 && options.rank >= 0 && options.rank < options.ranks,
                    "rank outside its group");
}

/// The first `count` of a seeded shuffle, back in catalogue order.
std::vector<Sample> choose(std::vector<Sample> samples, std::size_t count, std::uint64_t seed) {
    RandomStream stream(seed, "data subset");
    stream.shuffle(samples);
    samples.resize(count);
    std::sort(samples.begin(), samples.end(),
              [](const Sample& a, const Sample& b) { return a.number < b.number; });
    return samples;
}

}  // namespace

struct Loader::Impl {
    Impl(std::shared_ptr<const Dataset> data, const LoaderOptions& given)
        : options(given), dataset(std::move(data)) {
        check(options);
        const std::vector<Sample>& all = dataset->samples(options.part);
        if (options.max_samples > 0 && options.max_samples < all.size())
            chosen = choose(all, options.max_samples, options.seed);
        samples = chosen.empty() ? &all : &chosen;
        EDGELOOP_EXPECT(samples->size() <= std::numeric_limits<std::uint32_t>::max(),
                        "more samples than the order can hold");
    }

    [[nodiscard]] std::size_t samples_per_step() const {
        return static_cast<std::size_t>(options.batch) * static_cast<std::size_t>(options.ranks);
    }
    [[nodiscard]] std::size_t steps() const {
        return (samples->size() + samples_per_step() - 1) / samples_per_step();
    }
    [[nodiscard]] bool training() const { return options.part == SplitPart::train; }

    void begin(int new_epoch, std::size_t step) {
        pending.clear();  // waits for what is begun
        epoch = new_epoch;
        next_step = step;
        order.resize(samples->size());
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
        const std::size_t window = static_cast<std::size_t>(options.frames) * crop_pixels;
        batch.samples = last - first;
        batch.frames = options.frames;
        batch.height = batch.width = crop_side;
        batch.pixels.resize(batch.samples * window);
        const std::size_t targets = dataset->catalogue().targets.size();
        batch.targets.resize(targets * batch.samples);
        batch.lines.resize(batch.samples);
        for (std::size_t i = 0; i < batch.samples; ++i) {
            const Sample& sample = (*samples)[order[first + i]];
            copy_sample(sample, batch.pixels.data() + i * window);
            std::copy_n(sample.targets, targets, batch.targets.data() + i * targets);
            batch.lines[i] = sample.number;
        }
        if (options.side > 0) make_clips(batch);
    }

    void make_clips(Batch& batch) const {
        const auto side = static_cast<std::size_t>(options.side);
        const std::size_t count =
            batch.samples * static_cast<std::size_t>(options.frames) * side * side;
        if (batch.clip_capacity < count) {
            batch.clips =
                options.clip_memory
                    ? options.clip_memory(count)
                    : std::shared_ptr<float>(new float[count], std::default_delete<float[]>());
            batch.clip_capacity = count;
        }
        normalise_and_resize(batch, options.side, batch.clips.get());
    }

    void copy_sample(const Sample& sample, std::uint8_t* window) const {
        const auto available = static_cast<std::size_t>(sample.frames);
        RandomStream stream(options.seed, "data window", static_cast<std::uint32_t>(epoch),
                            sample.number);
        const std::size_t start =
            window_start(available, options.frames, options.stride, training() ? &stream : nullptr);
        copy_window(sample.pixels, available, start, options.frames, options.stride, window);
        if (training() && options.augment)
            turn_clip(window, options.frames, crop_side, static_cast<int>(stream.below(8)));
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
    std::vector<Sample> chosen;          ///< when not all of the part are
    const std::vector<Sample>* samples;  ///< in catalogue order
    std::vector<std::uint32_t> order;    ///< positions in samples, in this epoch's order
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
std::size_t Loader::total_samples() const { return impl_->samples->size(); }
void Loader::start_epoch(int epoch, std::size_t step) { impl_->begin(epoch, step); }
bool Loader::next(Batch& batch) { return impl_->next(batch); }

}  // namespace edgeloop
