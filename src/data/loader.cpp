#include "edgeloop/data/loader.hpp"

#include "data/augment.hpp"
#include "data/dataset_impl.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/data/preprocessing.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <limits>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr int most_frames = 4096;

void check(const LoaderOptions& options) {
    const auto require = [](bool good, const char* name, auto value) {
        if (!good) throw ConfigError(fmt::format("{} {} is out of range", name, value));
    };
    require(options.frames >= 1 && options.frames <= most_frames, "window length", options.frames);
    require(options.stride >= 1 && options.stride <= most_frames, "frame stride", options.stride);
    require(options.batch >= 1, "batch size", options.batch);
    require(options.prefetch >= 0, "prefetch", options.prefetch);
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
        const std::vector<Sample>& all = dataset->impl().samples(options.part);
        if (options.max_samples > 0 && options.max_samples < all.size())
            chosen = choose(all, options.max_samples, options.seed);
        samples = chosen.empty() ? &all : &chosen;
        EDGELOOP_EXPECT(samples->size() <= std::numeric_limits<std::uint32_t>::max(),
                        "more samples than the order can hold");
    }
    ~Impl() { stop_prefetch(); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    [[nodiscard]] std::size_t samples_per_step() const {
        return static_cast<std::size_t>(options.batch) * static_cast<std::size_t>(options.ranks);
    }
    [[nodiscard]] std::size_t steps() const {
        return (samples->size() + samples_per_step() - 1) / samples_per_step();
    }
    [[nodiscard]] bool training() const { return options.part == SplitPart::train; }

    void begin(int new_epoch, std::size_t step) {
        stop_prefetch();
        epoch = new_epoch;
        next_step = step;
        order.resize(samples->size());
        std::iota(order.begin(), order.end(), 0U);
        if (training()) {
            RandomStream stream(options.seed, "data order", static_cast<std::uint32_t>(epoch));
            stream.shuffle(order);
        }
        if (options.prefetch > 0) thread = std::thread([this, step] { prefetch_batches(step); });
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
        batch.targets.resize(2 * batch.samples);
        batch.lines.resize(batch.samples);
        for (std::size_t i = 0; i < batch.samples; ++i) {
            const Sample& sample = (*samples)[order[first + i]];
            copy_sample(sample, batch.pixels.data() + i * window);
            batch.targets[2 * i] = sample.speed;
            batch.targets[2 * i + 1] = sample.power;
            batch.lines[i] = sample.number;
        }
    }

    void copy_sample(const Sample& sample, std::uint8_t* window) const {
        const auto available = static_cast<std::size_t>(sample.frames);
        if (!training()) {
            copy_window(sample.pixels, available,
                        centred_start(available, options.frames, options.stride), options.frames,
                        options.stride, window);
            return;
        }
        RandomStream stream(options.seed, "data window", static_cast<std::uint32_t>(epoch),
                            sample.number);
        const std::size_t span = window_span(options.frames, options.stride);
        const std::size_t start = available > span ? stream.below(available - span + 1) : 0;
        copy_window(sample.pixels, available, start, options.frames, options.stride, window);
        if (options.augment)
            turn_clip(window, options.frames, crop_side, static_cast<int>(stream.below(8)));
    }

    [[nodiscard]] bool next(Batch& batch) {
        if (next_step >= steps()) return false;
        if (options.prefetch == 0)
            fill(next_step, batch);
        else
            take_prefetched(batch);
        ++next_step;
        return true;
    }

    void take_prefetched(Batch& batch) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return !ready.empty() || failure; });
        if (ready.empty()) std::rethrow_exception(failure);
        std::swap(batch, ready.front());
        spare.push_back(std::move(ready.front()));
        ready.pop_front();
        changed.notify_all();
    }

    void prefetch_batches(std::size_t first_step) {
        try {
            for (std::size_t step = first_step; step < steps(); ++step) {
                Batch batch;
                if (!wait_for_room(batch)) return;
                fill(step, batch);
                const std::lock_guard lock(mutex);
                ready.push_back(std::move(batch));
                changed.notify_all();
            }
        } catch (...) {
            const std::lock_guard lock(mutex);
            failure = std::current_exception();
            changed.notify_all();
        }
    }

    /// Waits until another batch may be prepared and hands out memory to reuse; false when the
    /// epoch was given up.
    bool wait_for_room(Batch& batch) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] {
            return stopping || ready.size() < static_cast<std::size_t>(options.prefetch);
        });
        if (stopping) return false;
        if (!spare.empty()) {
            batch = std::move(spare.back());
            spare.pop_back();
        }
        return true;
    }

    void stop_prefetch() {
        if (thread.joinable()) {
            {
                const std::lock_guard lock(mutex);
                stopping = true;
                changed.notify_all();
            }
            thread.join();
        }
        stopping = false;
        ready.clear();
        failure = nullptr;
    }

    LoaderOptions options;
    std::shared_ptr<const Dataset> dataset;
    std::vector<Sample> chosen;          ///< when not all of the part are
    const std::vector<Sample>* samples;  ///< in catalogue order
    std::vector<std::uint32_t> order;    ///< positions in samples, in this epoch's order
    int epoch = 0;
    std::size_t next_step = std::numeric_limits<std::size_t>::max();  ///< until an epoch begins

    std::thread thread;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Batch> ready;   ///< guarded by mutex
    std::vector<Batch> spare;  ///< guarded by mutex; memory to reuse
    std::exception_ptr failure;
    bool stopping = false;
};

Loader::Loader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
    : impl_(std::make_unique<Impl>(std::move(dataset), options)) {}
Loader::~Loader() = default;
std::size_t Loader::steps_per_epoch() const { return impl_->steps(); }
std::size_t Loader::total_samples() const { return impl_->samples->size(); }
void Loader::start_epoch(int epoch, std::size_t step) { impl_->begin(epoch, step); }
bool Loader::next(Batch& batch) { return impl_->next(batch); }

}  // namespace edgeloop
