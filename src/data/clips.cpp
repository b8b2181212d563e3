#include "edgeloop/data/clips.hpp"

#include "data/hdf5.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/data/loader.hpp"
#include "edgeloop/data/output_file.hpp"
#include "edgeloop/data/recording.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <filesystem>
#include <limits>
#include <system_error>

#include <fmt/format.h>

namespace edgeloop {
namespace {

void check(const ClipsOptions& options) {
    const auto require = [](bool good, const char* name, int value) {
        if (!good) throw ConfigError(fmt::format("{} {} is out of range", name, value));
    };
    require(options.frames >= 1 && options.frames <= WindowRule::max_frames, "window length",
            options.frames);
    require(options.stride >= 1 && options.stride <= WindowRule::max_frames, "frame stride",
            options.stride);
    require(options.side >= 1 && options.side <= 1024, "side", options.side);
    if (options.output.empty())
        throw ConfigError("no output file was given", {}, "add --output FILE");
    check_output_file(options.output);
}

std::uint64_t count_lines(const std::vector<std::string>& paths, External external) {
    std::uint64_t count = 0;
    for (const std::string& path : paths) {
        const auto file = open_recording(path, external);
        for (const LayerInfo& layer : file->layers()) {
            const LineIndex index = file->line_index(layer);
            for (std::size_t line = 0; line < index.lines(); ++line)
                count += index.frames_of(line) > 0 ? 1 : 0;
        }
    }
    return count;
}

/// Replacing a recording by its clips would lose it.
void check_output(const std::string& output, const std::vector<std::string>& inputs) {
    for (const std::string& input : inputs) {
        std::error_code missing;
        if (std::filesystem::equivalent(input, output, missing))
            throw ConfigError(fmt::format("the output '{}' is one of the inputs", output), {},
                              "choose another --output");
    }
}

/// The output file under a temporary name, and the row to write next.
class ClipFile {
  public:
    ClipFile(const ClipsOptions& options, std::vector<Target> targets, std::uint64_t lines)
        : options_(options),
          rule_(WindowRule::published(options.frames, options.stride)),
          targets_(std::move(targets)),
          file_(options.output) {
        const auto frames = std::uint64_t(options.frames), side = std::uint64_t(options.side);
        const auto crop = std::uint64_t(crop_side);
        clip_ = create("clip", H5T_IEEE_F32LE, {lines, 1, frames, side, side});
        target_ = create("target", H5T_IEEE_F32LE, {lines, targets_.size()});
        crop_ = create("crop_u8", H5T_STD_U8LE, {lines, 1, frames, crop, crop});
        batch_.samples = 1;
        batch_.frames = options.frames;
        batch_.height = batch_.width = crop_side;
        batch_.pixels.resize(frames * crop_pixels);
        pixels_.resize(frames * side * side);
    }
    /// @param labels  of each target in physical units; none: unlabelled.
    void append(const CroppedLine& line, const double* labels, std::string where) {
        copy_window(line.pixels.data(), line.frames, place_in(line.frames), rule_,
                    batch_.pixels.data());
        normalise_and_resize(batch_, options_.side, pixels_.data());
        std::vector<float> target(targets_.size(), std::numeric_limits<float>::quiet_NaN());
        for (std::size_t i = 0; labels != nullptr && i < target.size(); ++i)
            target[i] = float(labels[i] / targets_[i].scale);
        const std::uint64_t row = where_.size();
        hdf5::write_rows(clip_, row, 1, H5T_NATIVE_FLOAT, pixels_.data());
        hdf5::write_rows(crop_, row, 1, H5T_NATIVE_UINT8, batch_.pixels.data());
        hdf5::write_rows(target_, row, 1, H5T_NATIVE_FLOAT, target.data());
        where_.push_back(std::move(where));
    }

    std::uint64_t commit() {
        hdf5::write_strings(file_.id(), file_.place("where"), where_);
        for (hdf5::Dataset* dataset : {&clip_, &target_, &crop_}) dataset->id.close();
        file_.commit();
        return where_.size();
    }

  private:
    hdf5::Dataset create(const char* name, hid_t type, const std::vector<std::uint64_t>& shape) {
        return hdf5::create_dataset(file_.id(), file_.place(name), type, shape, {});
    }
    [[nodiscard]] std::size_t place_in(std::size_t available) const {
        if (options_.center) return rule_.middle_place(available);
        RandomStream random(options_.seed, "clip window", 0, where_.size());
        const std::size_t places = rule_.places(available);
        return places > 1 ? random.below(places) : 0;
    }

    const ClipsOptions& options_;
    WindowRule rule_;
    std::vector<Target> targets_;
    hdf5::NewFile file_;
    hdf5::Dataset clip_, target_, crop_;
    Batch batch_;
    std::vector<float> pixels_;
    std::vector<std::string> where_;
};

void append_layer(const Recording& file, const LayerInfo& layer, ClipFile& clips) {
    const LineIndex index = file.line_index(layer);
    const std::vector<double> labels = file.labels(layer);
    const std::string name = std::filesystem::path(file.path()).filename().string();
    file.for_each_line(layer, index, 0, index.lines(), Crop::published, [&](CroppedLine& line) {
        if (stop_signal() != 0)
            throw Stopped(
                fmt::format("stopped by signal {} before all clips were written", stop_signal()),
                "a part of them is not kept", "run the same command again");
        clips.append(line,
                     labels.empty() ? nullptr : labels.data() + line.line * file.targets().size(),
                     fmt::format("{}:{}/{} crop_center=({}, {})", name, layer.group.path,
                                 index.numbers[line.line], line.centre.row, line.centre.column));
    });
}

}  // namespace

std::uint64_t write_clips(const ClipsOptions& options) {
    check(options);
    const std::vector<std::string> paths = expand_files(options.input);
    check_output(options.output, paths);
    const std::vector<Target> targets = open_recording(paths.front(), options.external)->targets();
    ClipFile clips(options, targets, count_lines(paths, options.external));
    for (const std::string& path : paths) {
        const auto file = open_recording(path, options.external);
        if (file->targets() != targets)
            throw ConfigError(fmt::format("the recordings '{}' and '{}' differ in their targets",
                                          paths.front(), path));
        for (const LayerInfo& layer : file->layers()) append_layer(*file, layer, clips);
    }
    return clips.commit();
}

}  // namespace edgeloop
