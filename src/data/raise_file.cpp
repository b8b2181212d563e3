#include "edgeloop/data/raise_file.hpp"

#include "data/hdf5.hpp"
#include "data/layer_groups.hpp"
#include "data/line_batches.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <glob.h>

namespace edgeloop {
namespace {

constexpr std::uint64_t most_frames_in_layer = 1ull << 27;
constexpr std::uint64_t most_lines_in_layer = 1ull << 24;
constexpr std::uint64_t longest_image_side = 8192;
constexpr std::size_t most_frames_in_line = 65536;
/// No laser is near it, and its square is a number in single precision.
constexpr double largest_parameter = 1e9;
/// Bytes of whole frames held at once while lines are cut out.
constexpr std::size_t frame_budget_bytes = std::size_t(48) << 20;
constexpr std::size_t largest_chunk_cache_bytes = std::size_t(32) << 20;

hdf5::Place place_of(const std::string& file, const LayerGroup& group, const char* dataset) {
    return {file, group.path + "/" + dataset};
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
    return fmt::format("({})", fmt::join(shape, ", "));
}

void check_frames(const hdf5::Dataset& frames) {
    if (frames.kind != hdf5::NumberKind::integer || frames.element_bytes != 1 || frames.is_signed)
        hdf5::throw_bad_input(frames.place, "frames must be unsigned 8-bit integers");
    const auto& shape = frames.shape;
    if (shape.size() != 3)
        hdf5::throw_bad_input(frames.place, fmt::format("shape {} is not (frames, height, width)",
                                                        shape_text(shape)));
    if (shape[1] == 0 || shape[2] == 0 || shape[1] > longest_image_side ||
        shape[2] > longest_image_side || shape[0] > most_frames_in_layer)
        hdf5::throw_bad_input(
            frames.place,
            fmt::format("shape {} is out of range: height and width 1 to {}, at most {} frames",
                        shape_text(shape), longest_image_side, most_frames_in_layer));
}

void check_index(const hdf5::Dataset& index, std::uint64_t frames) {
    if (index.kind != hdf5::NumberKind::integer || index.element_bytes > 8)
        hdf5::throw_bad_input(index.place, "the index must be integers");
    if (index.shape.size() != 1 || index.shape[0] != frames)
        hdf5::throw_bad_input(
            index.place, fmt::format("shape {} does not match the {} frames of dataset 'frame'",
                                     shape_text(index.shape), frames));
}

void check_parameters(const hdf5::Dataset& parameters) {
    if (parameters.kind != hdf5::NumberKind::real)
        hdf5::throw_bad_input(parameters.place, "laser parameters must be floating-point numbers");
    if (parameters.shape.size() != 2 || parameters.shape[1] != 2)
        hdf5::throw_bad_input(parameters.place, fmt::format("shape {} is not (lines, 2)",
                                                            shape_text(parameters.shape)));
    if (parameters.shape[0] > most_lines_in_layer)
        hdf5::throw_bad_input(parameters.place,
                              fmt::format("{} lines; at most {} are supported", parameters.shape[0],
                                          most_lines_in_layer));
}

/// Cache that holds the chunks one frame touches, so that neighbouring reads inflate each once.
std::size_t cache_bytes_for(const LayerInfo& layer) {
    const auto& chunk = layer.frame_chunk;
    if (chunk.size() != 3) return 0;
    const std::uint64_t down = (std::uint64_t(layer.height) + chunk[1] - 1) / chunk[1];
    const std::uint64_t across = (std::uint64_t(layer.width) + chunk[2] - 1) / chunk[2];
    const double bytes = 2.0 * double(across) * double(down) * double(chunk[0]) * double(chunk[1]) *
                         double(chunk[2]);
    return static_cast<std::size_t>(
        std::clamp(bytes, double(1 << 20), double(largest_chunk_cache_bytes)));
}

std::vector<std::int64_t> read_index(hid_t file, const hdf5::Place& place, std::uint64_t frames) {
    const hdf5::Dataset dataset = hdf5::open_dataset(file, place);
    check_index(dataset, frames);
    std::vector<std::int64_t> index(frames);
    hdf5::read_rows(dataset, 0, frames, H5T_NATIVE_INT64, index.data());
    return index;
}

std::vector<std::int64_t> distinct_lines(const std::vector<std::int64_t>& index) {
    std::vector<std::int64_t> numbers;
    for (const std::int64_t number : index)
        if (number >= 0 && (numbers.empty() || numbers.back() != number)) numbers.push_back(number);
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    return numbers;
}

std::vector<std::int64_t> counted_lines(const std::vector<std::int64_t>& index, std::uint64_t lines,
                                        const hdf5::Place& place) {
    for (std::size_t i = 0; i < index.size(); ++i)
        if (index[i] >= std::int64_t(lines))
            hdf5::throw_bad_input(
                place, fmt::format("frame {} belongs to line {}, but laser_params has {} lines", i,
                                   index[i], lines));
    std::vector<std::int64_t> numbers(lines);
    for (std::size_t i = 0; i < lines; ++i) numbers[i] = std::int64_t(i);
    return numbers;
}

/// Counting sort of frame positions by line; `position_of` maps an index value to its line.
template <class PositionOf>
LineIndex sort_by_line(const std::vector<std::int64_t>& index, std::vector<std::int64_t> numbers,
                       const PositionOf& position_of) {
    LineIndex result;
    result.numbers = std::move(numbers);
    result.offsets.assign(result.numbers.size() + 1, 0);
    for (const std::int64_t number : index) {
        if (number < 0)
            ++result.without_line;
        else
            ++result.offsets[position_of(number) + 1];
    }
    for (std::size_t i = 1; i < result.offsets.size(); ++i)
        result.offsets[i] += result.offsets[i - 1];
    result.frames.resize(result.offsets.back());
    std::vector<std::uint64_t> next(result.offsets.begin(), result.offsets.end() - 1);
    for (std::size_t i = 0; i < index.size(); ++i)
        if (index[i] >= 0)
            result.frames[next[position_of(index[i])]++] = static_cast<std::uint32_t>(i);
    return result;
}

std::string integer_type_name(const hdf5::Dataset& dataset) {
    return fmt::format("{}int{}", dataset.is_signed ? "" : "u", 8 * dataset.element_bytes);
}

}  // namespace

bool is_usable(const LaserParameters& laser) {
    const auto in_range = [](double value) { return value > 0 && value <= largest_parameter; };
    return in_range(laser.speed_mm_s) && in_range(laser.power_w);
}

const char* name_of(RaiseLayout layout) { return layout == RaiseLayout::v1_0 ? "v1.0" : "v1.1"; }

struct RaiseFile::Impl {
    std::string path;
    hdf5::Handle file;
    std::vector<LayerGroup> groups;
    // The frame dataset read last stays open, so that its chunk cache serves the next read.
    std::string open_path;
    hdf5::Dataset open_frames;

    const hdf5::Dataset& frames_of(const LayerInfo& layer) {
        if (open_path != layer.group.path) {
            open_path.clear();
            // layer() has seen that all of it is there.
            open_frames = hdf5::open_dataset(file.get(), place_of(path, layer.group, "frame"),
                                             {cache_bytes_for(layer), hdf5::Stored::known});
            open_path = layer.group.path;
        }
        return open_frames;
    }
};

RaiseFile::RaiseFile(const std::string& path) : impl_(std::make_unique<Impl>()) {
    impl_->path = path;
    impl_->file = hdf5::open_for_reading(path);
    impl_->groups = find_layer_groups(impl_->file.get(), path);
}

RaiseFile::~RaiseFile() = default;
RaiseFile::RaiseFile(RaiseFile&&) noexcept = default;
RaiseFile& RaiseFile::operator=(RaiseFile&&) noexcept = default;

const std::string& RaiseFile::path() const { return impl_->path; }
const std::vector<LayerGroup>& RaiseFile::groups() const& { return impl_->groups; }

LayerInfo RaiseFile::layer(const LayerGroup& group) const {
    const hid_t file = impl_->file.get();
    const auto frames = hdf5::open_dataset(file, place_of(impl_->path, group, "frame"));
    check_frames(frames);
    const auto index = hdf5::open_dataset(file, place_of(impl_->path, group, "scan_line_index"));
    check_index(index, frames.shape[0]);
    LayerInfo info;
    info.group = group;
    info.files = frames.files;
    info.files.insert(index.files.begin(), index.files.end());
    info.frames = frames.shape[0];
    info.height = int(frames.shape[1]);
    info.width = int(frames.shape[2]);
    info.index_type = integer_type_name(index);
    info.frame_chunk = frames.chunk;
    info.labelled = hdf5::link_exists(file, group.path + "/laser_params");
    if (info.labelled) {
        const auto labels = hdf5::open_dataset(file, place_of(impl_->path, group, "laser_params"));
        check_parameters(labels);
        info.labelled_lines = labels.shape[0];
        info.files.insert(labels.files.begin(), labels.files.end());
    }
    return info;
}

std::vector<LayerInfo> RaiseFile::layers() const {
    std::vector<LayerInfo> result;
    result.reserve(groups().size());
    for (const LayerGroup& group : groups()) result.push_back(layer(group));
    return result;
}

LineIndex RaiseFile::line_index(const LayerInfo& layer) const {
    const hdf5::Place place = place_of(impl_->path, layer.group, "scan_line_index");
    const std::vector<std::int64_t> index = read_index(impl_->file.get(), place, layer.frames);
    if (layer.labelled)
        return sort_by_line(index, counted_lines(index, layer.labelled_lines, place),
                            [](std::int64_t number) { return static_cast<std::size_t>(number); });
    const std::vector<std::int64_t> numbers = distinct_lines(index);
    return sort_by_line(index, numbers, [&numbers](std::int64_t number) {
        return static_cast<std::size_t>(std::lower_bound(numbers.begin(), numbers.end(), number) -
                                        numbers.begin());
    });
}

std::vector<LaserParameters> RaiseFile::raw_laser_parameters(const LayerInfo& layer) const {
    if (!layer.labelled) return {};
    const auto dataset =
        hdf5::open_dataset(impl_->file.get(), place_of(impl_->path, layer.group, "laser_params"));
    check_parameters(dataset);
    std::vector<double> values(2 * dataset.shape[0]);
    hdf5::read_rows(dataset, 0, dataset.shape[0], H5T_NATIVE_DOUBLE, values.data());
    std::vector<LaserParameters> parameters(dataset.shape[0]);
    for (std::size_t i = 0; i < parameters.size(); ++i)
        parameters[i] = {values[2 * i], values[2 * i + 1]};
    return parameters;
}

std::vector<LaserParameters> RaiseFile::laser_parameters(const LayerInfo& layer) const {
    std::vector<LaserParameters> parameters = raw_laser_parameters(layer);
    for (std::size_t i = 0; i < parameters.size(); ++i)
        if (!is_usable(parameters[i]))
            hdf5::throw_bad_input(place_of(impl_->path, layer.group, "laser_params"),
                                  fmt::format("line {} has speed {} and power {}", i,
                                              parameters[i].speed_mm_s, parameters[i].power_w),
                                  "correct or remove the line");
    return parameters;
}

void RaiseFile::read_frames(const LayerInfo& layer, std::uint64_t first, std::uint64_t count,
                            std::uint8_t* out) const {
    hdf5::read_rows(impl_->frames_of(layer), first, count, H5T_NATIVE_UINT8, out);
}

void RaiseFile::for_each_line(const LayerInfo& layer, const LineIndex& index, std::size_t first,
                              std::size_t last,
                              const std::function<void(CroppedLine&)>& use) const {
    for (std::size_t line = first; line < last; ++line)
        if (index.frames_of(line) > most_frames_in_line)
            hdf5::throw_bad_input(
                place_of(impl_->path, layer.group, "scan_line_index"),
                fmt::format("line {} has {} frames; at most {} are supported", index.numbers[line],
                            index.frames_of(line), most_frames_in_line));
    LineBatches batches(*this, layer, index, frame_budget_bytes);
    batches.for_each(first, last, use);
}

std::vector<std::string> expand_files(const std::vector<std::string>& patterns) {
    std::vector<std::string> files;
    std::set<std::string> seen;
    const auto add = [&](const std::string& file) {
        if (seen.insert(std::filesystem::path(file).lexically_normal().string()).second)
            files.push_back(file);
    };
    for (const std::string& pattern : patterns) {
        if (std::filesystem::exists(pattern) || pattern.find_first_of("*?[") == std::string::npos) {
            add(pattern);
            continue;
        }
        glob_t matches{};
        const int status = ::glob(pattern.c_str(), 0, nullptr, &matches);
        for (std::size_t i = 0; status == 0 && i < matches.gl_pathc; ++i) add(matches.gl_pathv[i]);
        ::globfree(&matches);
        if (status != 0)
            throw ConfigError(fmt::format("no file matches '{}'", pattern), {}, "check the path");
    }
    if (files.empty())
        throw ConfigError("no input file was given", {}, "name at least one RAISE-LPBF file");
    return files;
}

}  // namespace edgeloop
