#include "apps/data/labelled.hpp"

#include "apps/data/camera.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/data/dataset.hpp"
#include "edgeloop/data/loader.hpp"
#include "edgeloop/data/output_file.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// What is written, in the order of the loader.
struct Clips {
    std::vector<std::uint8_t> pixels;
    std::vector<float> expected;
    std::vector<std::int64_t> lines;
};

void drift(const CameraDrift& drift, std::vector<std::uint8_t>& pixels) {
    if (drift.gain == 1 && drift.offset == 0 && drift.blur_px == 0) return;
    Camera camera(crop_side, crop_side);
    std::vector<float> light(crop_pixels);
    for (std::size_t first = 0; first < pixels.size(); first += crop_pixels) {
        std::uint8_t* const frame = pixels.data() + first;
        std::copy_n(frame, crop_pixels, light.begin());
        if (drift.blur_px > 0) camera.blur(light, drift.blur_px);
        for (std::size_t i = 0; i < crop_pixels; ++i)
            frame[i] = static_cast<std::uint8_t>(
                std::lround(std::clamp(drift.gain * double(light[i]) + drift.offset, 0.0, 255.0)));
    }
}

Clips read_clips(const LabelledOptions& options) {
    const auto dataset = std::make_shared<const Dataset>(options.data);
    LoaderOptions loading;
    loading.part = options.part;
    loading.window = options.window;
    loading.windows_per_line = options.windows_per_line;
    loading.max_samples = options.lines;
    loading.seed = options.seed;
    loading.prefetch = 0;
    Loader loader(dataset, loading);
    loader.start_epoch(0);
    Clips clips;
    const auto& targets = dataset->catalogue().targets;
    for (Batch batch; loader.next(batch);) {
        const auto pixels =
            static_cast<std::ptrdiff_t>(batch.samples * std::size_t(batch.frames) * crop_pixels);
        clips.pixels.insert(clips.pixels.end(), batch.pixels.begin(),
                            batch.pixels.begin() + pixels);
        for (std::size_t i = 0; i < batch.samples * targets.size(); ++i)
            clips.expected.push_back(
                static_cast<float>(double(batch.targets[i]) * targets[i % targets.size()].scale));
        for (std::size_t i = 0; i < batch.samples; ++i)
            clips.lines.push_back(static_cast<std::int64_t>(batch.lines[i]));
    }
    return clips;
}

template <class T>
std::string_view bytes_of_list(const std::vector<T>& list) {
    return {reinterpret_cast<const char*>(list.data()), list.size() * sizeof(T)};
}

}  // namespace

std::size_t write_labelled(const LabelledOptions& options) {
    check_output_file(options.output);
    if (options.part == SplitPart::prediction)
        throw ConfigError("the part 'prediction' has no labels");
    Clips clips = read_clips(options);
    if (clips.lines.empty())
        throw ConfigError(fmt::format("'{}' has no lines for such clips in the part '{}'",
                                      options.data, name_of(options.part)));
    drift(options.drift, clips.pixels);
    const auto count = static_cast<std::int64_t>(clips.lines.size());
    SafeTensors content;
    content.tensors["input"] = {ElementType::u8,
                                {count, options.window.frames, crop_side, crop_side},
                                bytes_of_list(clips.pixels)};
    content.tensors["expected"] = {
        ElementType::f32,
        {count, static_cast<std::int64_t>(clips.expected.size() / clips.lines.size())},
        bytes_of_list(clips.expected)};
    content.tensors["line"] = {ElementType::i64, {count}, bytes_of_list(clips.lines)};
    content.metadata = {{"gain", shortest(options.drift.gain)},
                        {"offset", shortest(options.drift.offset)},
                        {"blur_px", shortest(options.drift.blur_px)}};
    write_file_atomic(options.output, encode_safetensors(content));
    return clips.lines.size();
}

}  // namespace edgeloop
