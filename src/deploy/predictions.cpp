#include "edgeloop/deploy/predictions.hpp"

#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/data/recording.hpp"
#include "edgeloop/preprocessing/resize.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr float no_number = std::numeric_limits<float>::quiet_NaN();
constexpr std::size_t enough_groups = 10;

void stop_if_asked() {
    if (stop_signal() != 0)
        throw Stopped(
            fmt::format("stopped by signal {} before all lines were predicted", stop_signal()),
            "nothing was written", "run the same command again");
}

std::string place_of(const Predictions& predictions, const PredictedLine& line) {
    const LayerName& layer = predictions.layers.at(line.layer);
    return fmt::format("{}:{}/{}, line {}", layer.source, layer.object, layer.layer,
                       line.scan_line);
}

/// Takes the answers to lines that were added before.
/// @param lines  their positions.
void take(const std::vector<float>& answers, const std::vector<std::size_t>& lines,
          Predictions& into) {
    const std::size_t width = into.targets.size();
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const std::size_t line = lines[i / width];
        if (!std::isfinite(answers[i]))
            throw ConfigError(fmt::format("the network's answer to {} is no number",
                                          place_of(into, into.lines[line])),
                              "its weights hold something that is none, or are too large",
                              "train the network again");
        into.predicted[line * width + i % width] = answers[i];
    }
}

/// Adds a line whose answer is not known yet. @param expected  nothing: it is not labelled.
void add_line(const PredictedLine& line, const float* expected, Predictions& into) {
    const std::size_t width = into.targets.size();
    into.lines.push_back(line);
    into.predicted.insert(into.predicted.end(), width, no_number);
    if (expected != nullptr)
        into.expected.insert(into.expected.end(), expected, expected + width);
    else
        into.expected.insert(into.expected.end(), width, no_number);
}

/// The lines of recordings, in batches.
class RecordingPredictor {
  public:
    RecordingPredictor(const Predictor& network, const WindowRule& rule, int batch,
                       Predictions& into)
        : network_(network), rule_(rule), batch_(static_cast<std::size_t>(batch)), into_(into) {
        const ClipShape& clip = network.spec().clip;
        clips_.frames = clip.frames;
        clips_.height = clips_.width = crop_side;
        clips_.pixels.resize(batch_ * window_bytes());
        resized_.resize(batch_ * static_cast<std::size_t>(clip.frames) *
                        static_cast<std::size_t>(clip.side) * static_cast<std::size_t>(clip.side));
    }

    void add_layer(const Recording& file, const LayerInfo& layer, Crop crop) {
        const std::string source = std::filesystem::path(file.path()).filename().string();
        into_.layers.push_back({source, layer.group.object, layer.group.layer});
        const LineIndex index = file.line_index(layer);
        const std::vector<double> labels = file.labels(layer);
        const std::size_t width = into_.targets.size();
        file.for_each_line(layer, index, 0, index.lines(), crop, [&](CroppedLine& line) {
            stop_if_asked();
            std::vector<float> expected;
            for (std::size_t t = 0; t < width && !labels.empty(); ++t)
                expected.push_back(float(labels[line.line * width + t] / into_.targets[t].scale));
            add({into_.layers.size() - 1, index.numbers[line.line], line.frames,
                 rule_.uses(line.frames)},
                expected.empty() ? nullptr : expected.data(), line);
        });
    }

    /// Answers what is waiting.
    void flush() {
        if (waiting_.empty()) return;
        clips_.samples = waiting_.size();
        const ClipShape& clip = network_.spec().clip;
        normalise_and_resize(clips_, clip.side, resized_.data(), {clip.mean, clip.deviation});
        take(network_.predict(resized_.data(), waiting_.size()), waiting_, into_);
        waiting_.clear();
    }

  private:
    [[nodiscard]] std::size_t window_bytes() const {
        return static_cast<std::size_t>(rule_.frames) * crop_pixels;
    }
    void add(const PredictedLine& line, const float* expected, const CroppedLine& cropped) {
        add_line(line, expected, into_);
        if (!line.has_window) return;
        copy_window(cropped.pixels.data(), cropped.frames, rule_.middle_place(cropped.frames),
                    rule_, clips_.pixels.data() + waiting_.size() * window_bytes());
        waiting_.push_back(into_.lines.size() - 1);
        if (waiting_.size() == batch_) flush();
    }

    const Predictor& network_;
    WindowRule rule_;
    std::size_t batch_;
    Predictions& into_;
    std::vector<std::size_t> waiting_;  ///< positions of lines whose windows are in clips_
    Batch clips_;
    std::vector<float> resized_;
};

/// Adds the lines of a batch; they come in catalogue order. @param layer  of the line before.
std::vector<std::size_t> add_lines(const Batch& batch, const std::vector<Sample>& samples,
                                   const Catalogue& catalogue, Predictions& into,
                                   std::size_t& sample, std::size_t& layer) {
    std::vector<std::size_t> added;
    const std::size_t width = into.targets.size();
    for (std::size_t i = 0; i < batch.samples; ++i) {
        while (samples[sample].number != batch.lines[i]) ++sample;
        const auto end_of = [&] {
            return catalogue.layers[layer].first_line + catalogue.layers[layer].lines;
        };
        while (batch.lines[i] >= end_of()) ++layer;
        const CatalogueLayer& from = catalogue.layers[layer];
        if (into.layers.empty() || into.layers.back().layer != from.layer ||
            into.layers.back().object != from.object || into.layers.back().source != from.source)
            into.layers.push_back({from.source, from.object, from.layer});
        const float* expected = batch.targets.data() + i * width;
        const bool labelled = std::all_of(expected, expected + width,
                                          [](float value) { return std::isfinite(value); });
        added.push_back(into.lines.size());
        add_line({into.layers.size() - 1, samples[sample].scan_line, samples[sample].frames, true},
                 labelled ? expected : nullptr, into);
    }
    return added;
}

using LineKey = std::tuple<std::string, std::string, std::string, std::int64_t>;
LineKey key_of(const Predictions& predictions, std::size_t line) {
    const PredictedLine& at = predictions.lines[line];
    const LayerName& layer = predictions.layers[at.layer];
    return {layer.source, layer.object, layer.layer, at.scan_line};
}

std::set<LineKey> scored_keys(const Predictions& predictions) {
    std::set<LineKey> keys;
    for (std::size_t i = 0; i < predictions.lines.size(); ++i)
        if (predictions.is_scored(i)) keys.insert(key_of(predictions, i));
    return keys;
}

void keep_lines(Predictions& predictions, const std::set<LineKey>& kept) {
    Predictions left;
    left.targets = predictions.targets;
    left.layers = predictions.layers;
    const auto width = static_cast<std::ptrdiff_t>(predictions.targets.size());
    for (std::size_t i = 0; i < predictions.lines.size(); ++i) {
        if (!predictions.is_scored(i) || kept.count(key_of(predictions, i)) == 0) continue;
        left.lines.push_back(predictions.lines[i]);
        const auto begin = static_cast<std::ptrdiff_t>(i) * width;
        const auto copy = [&](const std::vector<float>& from, std::vector<float>& to) {
            to.insert(to.end(), from.begin() + begin, from.begin() + begin + width);
        };
        copy(predictions.predicted, left.predicted);
        copy(predictions.expected, left.expected);
    }
    predictions = std::move(left);
}

}  // namespace

std::size_t Predictions::left_out() const {
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(), [](const PredictedLine& line) { return !line.has_window; }));
}

bool Predictions::is_scored(std::size_t line) const {
    const std::size_t width = targets.size();
    for (std::size_t i = line * width; i < (line + 1) * width; ++i)
        if (!std::isfinite(predicted[i]) || !std::isfinite(expected[i])) return false;
    return true;
}

Predictions predict_part(const Predictor& network, const std::shared_ptr<const Dataset>& dataset,
                         SplitPart part, const WindowRule& rule, int batch) {
    EDGELOOP_EXPECT(part != SplitPart::train, "the windows of training lines are random");
    const ClipShape& clip = network.spec().clip;
    LoaderOptions options;
    options.part = part;
    options.window = rule;
    options.batch = batch;
    options.side = clip.side;
    options.normalisation = {clip.mean, clip.deviation};
    Loader loader(dataset, options);
    if (loader.total_samples() == 0)
        throw ConfigError(
            fmt::format("the shards have no line of the part '{}' to predict", name_of(part)),
            loader.lines_left_out() > 0
                ? fmt::format("{} of its lines are too short: a window needs {} frames",
                              loader.lines_left_out(), rule.needed())
                : "the split gave it none",
            "choose another --part, or make shards with it: edgeloop-data shard --test");
    Predictions predictions;
    predictions.targets = dataset->catalogue().targets;
    loader.start_epoch(0);
    std::size_t sample = 0, layer = 0;
    for (Batch each; loader.next(each);) {
        stop_if_asked();
        const auto lines = add_lines(each, dataset->samples(part), dataset->catalogue(),
                                     predictions, sample, layer);
        take(network.predict(each.clips.get(), each.samples), lines, predictions);
    }
    return predictions;
}

Predictions predict_recordings(const Predictor& network, const std::vector<std::string>& files,
                               const std::vector<Target>& targets, Crop crop, External external,
                               const WindowRule& rule, int batch) {
    Predictions predictions;
    predictions.targets = targets;
    RecordingPredictor predictor(network, rule, batch, predictions);
    for (const std::string& path : expand_files(files)) {
        const auto file = open_recording(path, external);
        if (file->targets() != targets)
            throw ConfigError(
                fmt::format("'{}' is a recording of {}", path, to_text(file->targets())),
                fmt::format("the network predicts {}", to_text(targets)),
                "predict recordings of the kind that it was trained with");
        for (const LayerInfo& layer : file->layers()) predictor.add_layer(*file, layer, crop);
    }
    predictor.flush();
    if (predictions.left_out() == predictions.lines.size())
        throw ConfigError("no line of the recordings has room for a window",
                          fmt::format("a line needs {} frames", rule.needed()),
                          "use a network with shorter windows, or a smaller --margin");
    return predictions;
}

std::string to_csv(const Predictions& predictions) {
    std::string text = "source,object,layer,scan_line,frames";
    for (const char* const what : {"predicted", "true"})
        for (const Target& target : predictions.targets)
            text += fmt::format(",{}_{}", what, metric_name(target));
    text += '\n';
    const std::size_t width = predictions.targets.size();
    for (std::size_t i = 0; i < predictions.lines.size(); ++i) {
        const PredictedLine& line = predictions.lines[i];
        const LayerName& layer = predictions.layers[line.layer];
        text += fmt::format("{},{},{},{},{}", csv_cell(layer.source), csv_cell(layer.object),
                            csv_cell(layer.layer), line.scan_line, line.frames);
        for (const std::vector<float>* values : {&predictions.predicted, &predictions.expected})
            for (std::size_t t = 0; t < width; ++t) {
                const double value =
                    double((*values)[i * width + t]) * predictions.targets[t].scale;
                text += std::isfinite(value) ? fmt::format(",{:.8g}", value) : std::string(",");
            }
        text += '\n';
    }
    return text;
}

const char* name_of(ResampledBy unit) {
    return unit == ResampledBy::line ? "line" : unit == ResampledBy::layer ? "layer" : "object";
}

ResampledBy usual_unit(const Predictions& predictions) {
    std::set<std::string> objects;
    std::set<std::size_t> layers;
    for (std::size_t i = 0; i < predictions.lines.size(); ++i) {
        if (!predictions.is_scored(i)) continue;
        layers.insert(predictions.lines[i].layer);
        objects.insert(predictions.layers[predictions.lines[i].layer].object);
    }
    if (objects.size() >= enough_groups) return ResampledBy::object;
    return layers.size() >= enough_groups ? ResampledBy::layer : ResampledBy::line;
}

ScoredWindows scored_windows(const Predictions& predictions, ResampledBy unit) {
    ScoredWindows windows;
    windows.targets = predictions.targets;
    std::map<std::string, std::uint64_t> objects;
    const auto width = static_cast<std::ptrdiff_t>(predictions.targets.size());
    for (std::size_t i = 0; i < predictions.lines.size(); ++i) {
        if (!predictions.is_scored(i)) continue;
        const std::size_t layer = predictions.lines[i].layer;
        std::uint64_t group = unit == ResampledBy::line ? i : layer;
        if (unit == ResampledBy::object)
            group = objects.emplace(predictions.layers[layer].object, objects.size()).first->second;
        windows.groups.push_back(group);
        const auto begin = static_cast<std::ptrdiff_t>(i) * width;
        const auto copy = [&](const std::vector<float>& from, std::vector<float>& to) {
            to.insert(to.end(), from.begin() + begin, from.begin() + begin + width);
        };
        copy(predictions.predicted, windows.predicted);
        copy(predictions.expected, windows.expected);
    }
    return windows;
}

void keep_common_lines(Predictions& one, Predictions& other) {
    const std::set<LineKey> of_other = scored_keys(other);
    keep_lines(one, of_other);
    keep_lines(other, scored_keys(one));
}

}  // namespace edgeloop
