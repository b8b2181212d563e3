#include "edgeloop/data/recording.hpp"

#include "data/layouts.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include <fmt/format.h>
#include <glob.h>

namespace edgeloop {
namespace {

[[noreturn]] void refuse(const std::string& place, const std::string& problem,
                         const std::string& suggestion = {}) {
    throw ConfigError(fmt::format("{}: {}", place, problem), {}, suggestion);
}

std::vector<std::int64_t> distinct_lines(const std::vector<std::int64_t>& index) {
    std::vector<std::int64_t> numbers;
    for (const std::int64_t number : index)
        if (number >= 0 && (numbers.empty() || numbers.back() != number)) numbers.push_back(number);
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    return numbers;
}

/// Counting sort of frame positions by line. `lines` are those of the frames; all that are not
/// negative are in `numbers`, ascending.
LineIndex sort_by_line(const std::vector<std::int64_t>& lines, std::vector<std::int64_t> numbers) {
    LineIndex result;
    result.numbers = std::move(numbers);
    const bool counts =
        !result.numbers.empty() && result.numbers.back() + 1 == std::int64_t(result.numbers.size());
    const auto position_of = [&](std::int64_t number) {
        if (counts) return static_cast<std::size_t>(number);
        return static_cast<std::size_t>(
            std::lower_bound(result.numbers.begin(), result.numbers.end(), number) -
            result.numbers.begin());
    };
    result.offsets.assign(result.numbers.size() + 1, 0);
    for (const std::int64_t number : lines)
        ++(number < 0 ? result.without_line : result.offsets[position_of(number) + 1]);
    std::partial_sum(result.offsets.begin(), result.offsets.end(), result.offsets.begin());
    result.frames.resize(result.offsets.back());
    std::vector<std::uint64_t> next(result.offsets.begin(), result.offsets.end() - 1);
    for (std::size_t i = 0; i < lines.size(); ++i)
        if (lines[i] >= 0)
            result.frames[next[position_of(lines[i])]++] = static_cast<std::uint32_t>(i);
    return result;
}

}  // namespace

std::unique_ptr<const Recording> open_recording(const std::string& path, External external) {
    const auto file = std::make_shared<const hdf5::Handle>(hdf5::open_for_reading(path));
    if (auto recording = open_raise(file, path, external)) return recording;
    throw ConfigError(
        fmt::format("file '{}' has no layer", path),
        "RAISE-LPBF files have groups /layerNNNN (v1.1) or /<object>/layerNNNN (v1.0) with "
        "datasets frame and scan_line_index",
        "check that this is the right file");
}

std::vector<LayerInfo> Recording::layers() const {
    std::vector<LayerInfo> result;
    result.reserve(groups().size());
    for (const LayerGroup& group : groups()) result.push_back(layer(group));
    return result;
}

LineIndex Recording::line_index(const LayerInfo& layer) const {
    const std::vector<std::int64_t> lines = line_of_frames(layer);
    if (!layer.labelled) return sort_by_line(lines, distinct_lines(lines));
    std::vector<std::int64_t> numbers(layer.labelled_lines);
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto past_end = std::find_if(lines.begin(), lines.end(), [&](std::int64_t line) {
        return line >= std::int64_t(numbers.size());
    });
    if (past_end != lines.end())
        refuse(place(layer.group, LayerPart::index),
               fmt::format("frame {} belongs to line {}, but there are targets for {} lines",
                           past_end - lines.begin(), *past_end, numbers.size()));
    return sort_by_line(lines, std::move(numbers));
}

std::vector<double> Recording::labels(const LayerInfo& layer) const {
    std::vector<double> labels = stored_labels(layer);
    for (std::size_t i = 0; i < labels.size(); i += targets().size())
        if (!are_usable(labels.data() + i))
            refuse(place(layer.group, LayerPart::targets),
                   fmt::format("line {} has {}", i / targets().size(),
                               to_text(targets(), labels.data() + i)),
                   "correct or remove the line");
    return labels;
}

bool Recording::are_usable(const double* labels) const {
    return std::all_of(labels, labels + targets().size(),
                       [this](double value) { return is_usable(value); });
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
