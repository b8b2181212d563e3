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
#include <functional>
#include <future>
#include <memory>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr int first_object_number = 27;
/// Frames generated before they are written.
constexpr std::size_t buffer_bytes = std::size_t(48) << 20;

/// Draws a line of a layer into frames of shape (frames, height, width).
using DrawLine = std::function<void(std::size_t line, std::uint8_t* frames)>;

/// What a layer consists of.
struct SynthLayer {
    struct Line {
        LaserParameters laser;
        std::size_t frames = 0;
    };
    std::vector<Line> lines;
    std::function<DrawLine()> make_drawer;  ///< one for each thread
};

void check(const SynthOptions& options) {
    struct Range {
        const char* name;
        double value, min, max;
    };
    for (const Range& range :
         {Range{"number of objects", double(options.objects), 1, 900},
          {"number of layers", double(options.layers), 1, 9999},
          {"number of lines", double(options.lines), 1, 100000},
          {"image height", double(options.height), 8, 2048},
          {"image width", double(options.width), 8, 2048},
          {"version of the generator", double(options.version), 1, 2},
          {"line length in mm", options.line_length_mm, 0.1, 1000},
          {"part size in mm", options.part_size_mm, 0.5, 100},
          {"lowest quantile of the drift", options.drift.low, 0, 1},
          {"highest quantile of the drift", options.drift.high, options.drift.low, 1},
          {"number of threads", double(options.threads), 0, 1024},
          {"compression level", double(options.deflate), 0, 9}})
        if (!(range.value >= range.min && range.value <= range.max))
            throw ConfigError(fmt::format("{} {} is out of range", range.name, range.value),
                              fmt::format("it must be {} to {}", range.min, range.max));
    const SynthOptions usual;
    if (options.version == 2 && options.line_length_mm != usual.line_length_mm)
        throw ConfigError("the line length belongs to generator 1", {},
                          "add --generator 1, or use --part-size");
    if (options.version == 1 &&
        (options.part_size_mm != usual.part_size_mm || options.effects != usual.effects ||
         options.drift.low != usual.drift.low || options.drift.high != usual.drift.high))
        throw ConfigError("part size, effects and drift belong to generator 2", {},
                          "leave them out, or leave out --generator 1");
    if (options.output.empty())
        throw ConfigError("no output folder was given", {}, "add --output DIR");
}

/// Calls work(i) for i in [0, count) on `threads` threads; rethrows the first exception.
void parallel_for(std::size_t count, int threads,
                  const std::function<std::function<void(std::size_t)>()>& make_work) {
    std::atomic<std::size_t> next{0};
    const auto run = [&] {
        const auto work = make_work();
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

SynthLayer layer_of_version_1(const SynthOptions& options, std::uint32_t object,
                              std::uint32_t layer) {
    SynthLayer result;
    for (std::size_t i = 0; i < static_cast<std::size_t>(options.lines); ++i) {
        RandomStream random(options.seed, "synth laser", object, line_key(layer, i));
        const LaserParameters laser = random_laser(random);
        result.lines.push_back({laser, frames_of_line(options.line_length_mm, laser.speed_mm_s)});
    }
    result.make_drawer = [=, lines = result.lines,
                          machine = machine_state(options.seed, object, layer)] {
        return [=, camera = MeltPoolCamera(options.height, options.width)](
                   std::size_t line, std::uint8_t* frames) mutable {
            camera.draw_line(
                lines[line].laser, machine, line % 2 == 1,
                RandomStream(options.seed, "synth line", object, line_key(layer, line)),
                lines[line].frames, frames);
        };
    };
    return result;
}

/// As many neighbouring lines of the hatch as are asked for, from anywhere in the layer.
SynthLayer layer_of_version_2(const SynthOptions& options, std::uint32_t object,
                              std::uint32_t layer) {
    const auto count = static_cast<std::size_t>(options.lines);
    const auto plan = std::make_shared<const std::vector<ProcessLine>>(
        plan_layer(options.seed, object, layer, options.part_size_mm, count));
    const std::size_t first = RandomStream(options.seed, "synth process block", object, layer)
                                  .below(plan->size() - count + 1);
    SynthLayer result;
    for (std::size_t i = first; i < first + count; ++i)
        result.lines.push_back({(*plan)[i].laser, (*plan)[i].frames});
    const LayerConditions conditions =
        layer_conditions(options.seed, object, layer, options.effects, options.drift);
    result.make_drawer = [=] {
        const auto camera = std::make_shared<ProcessCamera>(options.height, options.width,
                                                            options.seed, options.effects);
        return [=](std::size_t line, std::uint8_t* frames) {
            camera->draw_line(*plan, first + line, conditions,
                              RandomStream(options.seed, "synth process line", object,
                                           line_key(layer, first + line)),
                              frames);
        };
    };
    return result;
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
        const SynthLayer plan = options_.version == 1 ? layer_of_version_1(options_, object, layer)
                                                      : layer_of_version_2(options_, object, layer);
        RaiseLayerTables tables{group, options_.height, options_.width, {}, {}, options_.deflate};
        for (const SynthLayer::Line& line : plan.lines) {
            tables.frames_of_line.push_back(line.frames);
            if (labelled)
                tables.laser_params.insert(tables.laser_params.end(),
                                           {line.laser.speed_mm_s, line.laser.power_w});
        }
        file.begin_layer(tables);
        for (std::size_t first = 0; first < plan.lines.size();) {
            const std::size_t last = end_of_batch(plan.lines, first);
            const std::uint64_t frames = draw(plan, first, last);
            file.append_frames(buffer_.data(), frames);
            state_.done += last - first;
            if (progress_) progress_(state_);
            if (stop_signal() != 0)
                throw Stopped(fmt::format("stopped by signal {} while generating", stop_signal()),
                              "the unfinished file was removed", "run the same command again");
            first = last;
        }
    }

    [[nodiscard]] std::size_t end_of_batch(const std::vector<SynthLayer::Line>& lines,
                                           std::size_t first) const {
        std::size_t end = first, bytes = 0;
        while (end < lines.size() &&
               (end == first || bytes + lines[end].frames * frame_bytes_ <= buffer_bytes))
            bytes += lines[end++].frames * frame_bytes_;
        return end;
    }

    /// Draws the lines [first, last) into the buffer; returns their frames.
    std::uint64_t draw(const SynthLayer& plan, std::size_t first, std::size_t last) {
        std::vector<std::size_t> starts = {0};
        for (std::size_t i = first; i < last; ++i)
            starts.push_back(starts.back() + plan.lines[i].frames);
        buffer_.resize(starts.back() * frame_bytes_);
        parallel_for(last - first, threads_, [&] {
            return [&, draw_line = plan.make_drawer()](std::size_t i) {
                if (stop_signal() == 0)  // else the caller ends
                    draw_line(first + i, buffer_.data() + starts[i] * frame_bytes_);
            };
        });
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
