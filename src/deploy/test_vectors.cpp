#include "edgeloop/deploy/test_vectors.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/data/loader.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

std::string line_name(const Catalogue& catalogue, std::uint64_t number) {
    const auto after = std::upper_bound(
        catalogue.layers.begin(), catalogue.layers.end(), number,
        [](std::uint64_t line, const CatalogueLayer& layer) { return line < layer.first_line; });
    EDGELOOP_EXPECT(after != catalogue.layers.begin(), "a line of the catalogue");
    const CatalogueLayer& layer = *(after - 1);
    return fmt::format("{}/{}, line {} of the layer", layer.object, layer.layer,
                       number - layer.first_line);
}

std::size_t window_bytes(int frames) { return static_cast<std::size_t>(frames) * crop_pixels; }

/// Takes every window of the part in turn, as many a line as are needed, and keeps some of them.
void add_windows(const std::shared_ptr<const Dataset>& dataset, const LoaderOptions& options,
                 std::size_t wanted, TestClips& clips) {
    Loader loader(dataset, options);
    const std::size_t all = loader.total_samples(), kept = std::min(wanted, all);
    loader.start_epoch(0);
    std::size_t seen = 0;
    for (Batch batch; loader.next(batch);)
        for (std::size_t i = 0; i < batch.samples; ++i, ++seen) {
            // The k-th of them is that at k * all / kept.
            if (clips.count() == kept || seen != clips.count() * all / kept) continue;
            const auto begin =
                batch.pixels.begin() + static_cast<std::ptrdiff_t>(i * window_bytes(clips.frames));
            clips.crops.insert(clips.crops.end(), begin,
                               begin + static_cast<std::ptrdiff_t>(window_bytes(clips.frames)));
            clips.names.push_back(line_name(dataset->catalogue(), batch.lines[i]));
        }
}

void add_edge_cases(TestClips& clips) {
    const std::size_t bytes = window_bytes(clips.frames);
    const auto add = [&](const char* name, const std::vector<std::uint8_t>& crop) {
        clips.names.emplace_back(name);
        clips.crops.insert(clips.crops.end(), crop.begin(), crop.end());
    };
    std::vector<std::uint8_t> padded(clips.crops.begin(),
                                     clips.crops.begin() + static_cast<std::ptrdiff_t>(bytes));
    std::fill(padded.begin() + static_cast<std::ptrdiff_t>(bytes / crop_pixels / 2 * crop_pixels),
              padded.end(), std::uint8_t(0));
    std::vector<std::uint8_t> noise(bytes);
    RandomStream random(1, "test clip of noise");
    for (std::uint8_t& pixel : noise) pixel = static_cast<std::uint8_t>(random.below(256));
    add("black", std::vector<std::uint8_t>(bytes, 0));
    add("saturated", std::vector<std::uint8_t>(bytes, 255));
    add("noise", noise);
    add("the first window, its second half black", padded);
}

std::string_view bytes_of_floats(const std::vector<float>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string promise_text(const Promise& promise) {
    const auto latency = promise.metrics.find("latency_ms");
    if (latency == promise.metrics.end() || promise.modelled) return {};
    return Json{{"device_class", promise.device_class},
                {"runtime", promise.runtime},
                {"threads", promise.threads},
                {"latency_ms", latency->second}}
        .dump();
}

std::string targets_text(const std::vector<Target>& targets) {
    std::string text;
    for (const Target& target : targets)
        text += (text.empty() ? "" : ",") + target.name + ':' + target.unit;
    return text;
}

}  // namespace

TestClips test_clips(const std::shared_ptr<const Dataset>& dataset, SplitPart part,
                     const WindowRule& rule, std::size_t windows) {
    LoaderOptions options;
    options.part = part;
    options.window = rule;
    options.batch = 1;
    const std::size_t lines = Loader(dataset, options).total_samples();
    if (lines == 0)
        throw ConfigError(fmt::format("no line of the part '{}' has room for a window, so there "
                                      "are no test vectors",
                                      name_of(part)),
                          {}, "choose another --part, or make shards with it");
    options.windows_per_line = static_cast<int>((windows + lines - 1) / lines);
    TestClips clips;
    clips.frames = rule.frames;
    add_windows(dataset, options, windows, clips);
    add_edge_cases(clips);
    return clips;
}

std::string vectors_of(const DeployedFile& file, const std::vector<std::string>& names,
                       const Promise& promise) {
    const ExportExamples& examples = file.report.examples;
    const std::vector<Target>& targets = file.report.targets;
    SafeTensors content;
    content.tensors["input"] = {examples.crops ? ElementType::u8 : ElementType::f32,
                                examples.input_shape, examples.input};
    content.tensors["expected"] = {
        ElementType::f32,
        {static_cast<std::int64_t>(names.size()), static_cast<std::int64_t>(targets.size())},
        bytes_of_floats(examples.expected)};
    content.metadata = {
        {"model_digest", file.report.digest},
        {"precision", to_string(file.request.precision)},
        {"absolute_tolerance", shortest(file.absolute_tolerance)},
        {"relative_tolerance", shortest(file.relative_tolerance)},
        {"targets", targets_text(targets)},
        {"promise", promise_text(promise)},
        {"batch", file.batch() == 0 ? "any" : std::to_string(file.batch())},
        {"names", Json(names).dump(-1, ' ', false, Json::error_handler_t::replace)}};
    return encode_safetensors(content);
}

}  // namespace edgeloop
