#include "apps/data/synth.hpp"

#include "apps/data/melt_pool.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/data/raise_writer.hpp"
#include "edgeloop/data/split.hpp"

#include <algorithm>
#include <atomic>
#include <future>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double min_speed_mm_s = 300, max_speed_mm_s = 1500;
constexpr double min_power_w = 100, max_power_w = 350;
constexpr int first_object_number = 27;
/// Frames generated before they are written.
constexpr std::size_t buffer_bytes = std::size_t(48) << 20;

/// A scan line to draw.
struct SynthLine {
    LaserParameters laser;
    std::size_t frames = 0;
};

void check(const SynthOptions& options) {
    struct Range {
        const char* name;
        double value, min, max;
    };
    for (const Range& range : {Range{"number of objects", double(options.objects), 1, 900},
                               {"number of layers", double(options.layers), 1, 9999},
                               {"number of lines", double(options.lines), 1, 100000},
                               {"image height", double(options.height), 8, 2048},
                               {"image width", double(options.width), 8, 2048},
                               {"line length in mm", options.line_length_mm, 0.1, 1000},
                               {"number of threads", double(options.threads), 0, 1024},
                               {"compression level", double(options.deflate), 0, 9}})
        if (!(range.value >= range.min && range.value <= range.max))
            throw ConfigError(fmt::format("{} {} is out of range", range.name, range.value),
                              fmt::format("it must be {} to {}", range.min, range.max));
    if (options.output.empty())
        throw ConfigError("no output folder was given", {}, "add --output DIR");
}

/// Calls work(i) for i in [0, count) on `threads` threads; rethrows the first exception.
template <class MakeWork>
void parallel_for(std::size_t count, int threads, const MakeWork& make_work) {
    std::atomic<std::size_t> next{0};
    const auto run = [&] {
        auto work = make_work();
        for (std::size_t i = next++; i < count; i = next++) work(i);
    };
    std::vector<std::future<void>> helpers;
    for (std::size_t i = 1; i < std::min(static_cast<std::size_t>(threads), count); ++i)
        helpers.push_back(std::async(std::launch::async, run));
    run();
    for (std::future<void>& helper : helpers) helper.get();
}

std::uint64_t line_key(std::uint32_t layer, std::size_t line) {
    return (std::uint64_t(layer) << 32) | line;
}

std::vector<SynthLine> plan_lines(const SynthOptions& options, std::uint32_t object,
                                  std::uint32_t layer) {
    std::vector<SynthLine> lines;
    for (std::size_t i = 0; i < static_cast<std::size_t>(options.lines); ++i) {
        RandomStream random(options.seed, "synth laser", object, line_key(layer, i));
        SynthLine line;
        line.laser.speed_mm_s = random.uniform(min_speed_mm_s, max_speed_mm_s);
        line.laser.power_w = random.uniform(min_power_w, max_power_w);
        line.frames = frames_of_line(options.line_length_mm, line.laser.speed_mm_s);
        lines.push_back(line);
    }
    return lines;
}

std::string object_name(int object) { return fmt::format("C{:03}", first_object_number + object); }

/// Generates layer after layer into open files.
class Synthesiser {
  public:
    Synthesiser(const SynthOptions& options, const ProgressCallback& progress)
        : options_(options),
          progress_(progress),
          threads_(options.threads > 0 ? options.threads : std::max(1, int(allowed_cpus().size()))),
          frame_bytes_(static_cast<std::size_t>(options.height) *
                       static_cast<std::size_t>(options.width)) {
        state_.total = std::uint64_t(options.objects) * std::uint64_t(options.layers) *
                       std::uint64_t(options.lines);
    }

    void write_object(RaiseWriter& file, int object, const std::string& parent, bool labelled) {
        for (int layer = 0; layer < options_.layers; ++layer)
            write_layer(file, fmt::format("{}/layer{:04}", parent, layer),
                        static_cast<std::uint32_t>(object), static_cast<std::uint32_t>(layer),
                        labelled);
    }

  private:
    void write_layer(RaiseWriter& file, const std::string& group, std::uint32_t object,
                     std::uint32_t layer, bool labelled) {
        const std::vector<SynthLine> lines = plan_lines(options_, object, layer);
        RaiseLayerTables tables{group, options_.height, options_.width, {}, {}, options_.deflate};
        for (const SynthLine& line : lines) {
            tables.frames_of_line.push_back(line.frames);
            if (labelled)
                tables.laser_params.insert(tables.laser_params.end(),
                                           {line.laser.speed_mm_s, line.laser.power_w});
        }
        file.begin_layer(tables);
        for (std::size_t first = 0; first < lines.size();) {
            const std::size_t last = end_of_batch(lines, first);
            const std::uint64_t frames = draw(lines, first, last, object, layer);
            file.append_frames(buffer_.data(), frames);
            state_.done += last - first;
            if (progress_) progress_(state_);
            if (stop_signal() != 0)
                throw Stopped(fmt::format("stopped by signal {} while generating", stop_signal()),
                              "the unfinished file was removed", "run the same command again");
            first = last;
        }
    }

    [[nodiscard]] std::size_t end_of_batch(const std::vector<SynthLine>& lines,
                                           std::size_t first) const {
        std::size_t end = first, bytes = 0;
        while (end < lines.size() &&
               (end == first || bytes + lines[end].frames * frame_bytes_ <= buffer_bytes))
            bytes += lines[end++].frames * frame_bytes_;
        return end;
    }

    /// Draws the lines [first, last) into the buffer; returns their frames.
    std::uint64_t draw(const std::vector<SynthLine>& lines, std::size_t first, std::size_t last,
                       std::uint32_t object, std::uint32_t layer) {
        std::vector<std::size_t> starts = {0};
        for (std::size_t i = first; i < last; ++i)
            starts.push_back(starts.back() + lines[i].frames);
        buffer_.resize(starts.back() * frame_bytes_);
        const MachineState machine = machine_state(options_.seed, object, layer);
        const auto make_worker = [&] {
            return [&, camera =
                           MeltPoolCamera(options_.height, options_.width)](std::size_t i) mutable {
                const std::size_t line = first + i;
                camera.draw_line(
                    lines[line].laser, machine, line % 2 == 1,
                    RandomStream(options_.seed, "synth line", object, line_key(layer, line)),
                    lines[line].frames, buffer_.data() + starts[i] * frame_bytes_);
            };
        };
        parallel_for(last - first, threads_, make_worker);
        return starts.back();
    }

    const SynthOptions& options_;
    const ProgressCallback& progress_;
    int threads_;
    std::size_t frame_bytes_;
    JobProgress state_;
    std::vector<std::uint8_t> buffer_;
};

/// One file with the objects [first, last) in the v1.0 layout.
std::string write_v1_0(Synthesiser& synthesiser, const std::string& path, int first, int last,
                       bool labelled) {
    RaiseWriter file(path);
    for (int object = first; object < last; ++object) {
        const std::string group = "/" + object_name(object);
        file.add_object(group);
        synthesiser.write_object(file, object, group, labelled);
    }
    file.commit();
    return path;
}

}  // namespace

std::vector<std::string> synthesise(const SynthOptions& options, const ProgressCallback& progress) {
    check(options);
    make_directories(options.output);
    Synthesiser synthesiser(options, progress);
    std::vector<std::string> files;
    if (options.layout == RaiseLayout::v1_0) {
        const int test = options.objects >= 2 ? std::max(1, options.objects / 4) : 0;
        const int train = options.objects - test;
        files.push_back(
            write_v1_0(synthesiser, options.output + "/RAISE_LPBF_train.hdf5", 0, train, true));
        if (test > 0)
            files.push_back(write_v1_0(synthesiser, options.output + "/RAISE_LPBF_test.hdf5", train,
                                       options.objects, !options.hide_test_labels));
        return files;
    }
    const std::vector<std::string>& test = official_test_objects();
    for (int object = 0; object < options.objects; ++object) {
        const std::string name = object_name(object);
        const bool hidden =
            options.hide_test_labels && std::count(test.begin(), test.end(), name) > 0;
        RaiseWriter file(options.output + "/" + name + ".hdf5");
        synthesiser.write_object(file, object, "", !hidden);
        file.commit();
        files.push_back(options.output + "/" + name + ".hdf5");
    }
    return files;
}

}  // namespace edgeloop
