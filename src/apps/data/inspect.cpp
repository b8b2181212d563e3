#include "apps/data/inspect.hpp"

#include "apps/data/montage.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/data/output_file.hpp"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <numeric>

#include <fmt/format.h>

namespace edgeloop {

NLOHMANN_JSON_SERIALIZE_ENUM(Severity, {{Severity::note, "note"}, {Severity::error, "error"}});
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FileProblem, severity, place, text);
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Distribution, count, minimum, p10, median, p90, maximum, mean);
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FileInspection, path, bytes, layout, objects, layers,
                                   unlabelled_layers, lines, frames, frame_sizes, frame_storage,
                                   index_types, problems, saturated_fraction, mean_grey);

namespace {

constexpr std::size_t block_bytes = std::size_t(8) << 20;
constexpr std::size_t problems_of_a_kind = 5;

void check_stop() {
    if (stop_signal() != 0) throw Stopped("stopped before everything was inspected");
}

/// Adds up to problems_of_a_kind entries, then one that counts the rest.
class ProblemList {
  public:
    ProblemList(std::vector<FileProblem>& problems, Severity severity, std::string place)
        : problems_(problems), severity_(severity), place_(std::move(place)) {}
    ~ProblemList() {
        if (count_ > problems_of_a_kind)
            problems_.push_back(
                {severity_, place_, fmt::format("and {} more", count_ - problems_of_a_kind)});
    }
    ProblemList(const ProblemList&) = delete;
    ProblemList& operator=(const ProblemList&) = delete;

    void add(std::string text) {
        if (++count_ <= problems_of_a_kind)
            problems_.push_back({severity_, place_, std::move(text)});
    }

  private:
    std::vector<FileProblem>& problems_;
    Severity severity_;
    std::string place_;
    std::size_t count_ = 0;
};

/// Windows of all files, for the baselines.
class WindowCollection {
  public:
    /// The first lines of each layer will do.
    void add_layer(const Recording& file, const LayerInfo& layer, const LineIndex& index,
                   const std::vector<double>& labels) {
        const std::size_t targets = file.targets().size();
        if (labels.empty() || (layers_ > 0 && file.targets() != targets_)) return;
        targets_ = file.targets();
        objects_.insert(layer.group.object);
        const std::size_t lines = std::min(index.lines(), lines_of_a_layer);
        file.for_each_line(layer, index, 0, lines, Crop::causal, [&](CroppedLine& line) {
            check_stop();
            if (!rule_.uses(line.frames) || (line.line + 1) * targets > labels.size() ||
                !file.are_usable(labels.data() + line.line * targets))
                return;
            std::vector<float>& normalised = labels_.emplace_back();
            for (std::size_t i = 0; i < targets; ++i)
                normalised.push_back(float(labels[line.line * targets + i] / targets_[i].scale));
            windows_.push_back({layer.group.object, facts_of(line.pixels.data(), line.frames, rule_,
                                                             layers_, normalised.data())});
        });
        ++layers_;
    }

    void finish(Inspection& inspection) const {
        std::vector<WindowFacts> fitted, scored;
        for (const Window& window : windows_) {
            // Every third object is held out, or every third layer.
            const auto object = std::distance(objects_.begin(), objects_.find(window.object));
            const auto unit =
                objects_.size() > 1 ? static_cast<std::size_t>(object) : window.facts.group;
            (unit % 3 == 1 ? scored : fitted).push_back(window.facts);
        }
        inspection.held_out = objects_.size() > 1 ? "objects" : "layers";
        inspection.fitted = fitted.size();
        inspection.scored = scored.size();
        if (!fitted.empty() && !scored.empty())
            inspection.baselines = baselines(fitted, scored, targets_.size());
    }

  private:
    static constexpr std::size_t lines_of_a_layer = 64;
    struct Window {
        std::string object;
        WindowFacts facts;
    };

    const WindowRule rule_;
    std::vector<Target> targets_;
    std::set<std::string> objects_;
    std::size_t layers_ = 0;
    std::deque<std::vector<float>> labels_;  // stay where they are
    std::vector<Window> windows_;
};

class FileInspector {
  public:
    FileInspector(const InspectOptions& options, JobProgress& state,
                  const ProgressCallback& progress, MontageSelection& montage,
                  WindowCollection& windows)
        : options_(options),
          state_(state),
          progress_(progress),
          montage_(montage),
          windows_(windows) {}

    FileInspection run(const std::string& path) {
        report_.path = path;
        guarded(path, [&] {
            const auto file = open_recording(path, options_.external);
            report_.bytes = std::filesystem::file_size(path);
            report_.layout = file->layout();
            report_.targets = file->targets();
            labels_.resize(report_.targets.size());
            for (const LayerGroup& group : file->groups()) {
                check_stop();
                guarded(path, [&] { add_layer(*file, group); });
            }
        });
        report_.frames_per_line = distribution_of(std::move(frames_per_line_));
        for (std::vector<double>& values : labels_)
            report_.labels.push_back(distribution_of(std::move(values)));
        report_.frames_were_read = pixels_ > 0;
        if (pixels_ > 0) {
            report_.saturated_fraction = double(saturated_) / double(pixels_);
            report_.mean_grey = double(grey_sum_) / double(pixels_);
        }
        clean_texts();
        return std::move(report_);
    }

  private:
    /// Files and what is in them have names that somebody chose; the report is shown and is JSON.
    void clean_texts() {
        report_.path = printable(report_.path);
        std::set<std::string> objects;
        for (const std::string& object : report_.objects) objects.insert(printable(object));
        report_.objects = std::move(objects);
        for (FileProblem& problem : report_.problems) {
            problem.place = printable(problem.place);
            problem.text = printable(problem.text);
        }
    }

    /// Runs a step; an error becomes a problem of the report.
    template <class Step>
    void guarded(const std::string& path, const Step& step) {
        try {
            step();
        } catch (const Stopped&) {
            throw;
        } catch (const Error& error) {
            report_.problems.push_back(
                {Severity::error, fmt::format("file '{}'", path), error.what()});
        }
    }

    void add_layer(const Recording& file, const LayerGroup& group) {
        ++report_.layers;
        report_.objects.insert(group.object);
        const LayerInfo layer = file.layer(group);
        report_.frame_sizes.insert(fmt::format("{}x{}", layer.height, layer.width));
        report_.index_types.insert(layer.index_type);
        report_.frame_storage.insert(
            layer.frame_chunk.empty()
                ? std::string("contiguous")
                : fmt::format("chunks ({})", fmt::join(layer.frame_chunk, ", ")));
        report_.frames += layer.frames;
        report_.unlabelled_layers += layer.labelled ? 0 : 1;
        const LineIndex index = file.line_index(layer);
        const std::vector<double> labels = file.stored_labels(layer);
        add_lines(file.place(group, LayerPart::index), index);
        add_labels(file, group, labels);
        if (!options_.montage.empty()) montage_.offer(file, layer, index, labels);
        if (options_.quick) return;
        read_frames(file, layer);
        windows_.add_layer(file, layer, index, labels);
    }

    void add_lines(const std::string& place, const LineIndex& index) {
        report_.lines += index.lines();
        ProblemList empty(report_.problems, Severity::note, place);
        for (std::size_t line = 0; line < index.lines(); ++line) {
            const std::size_t frames = index.frames_of(line);
            if (frames == 0)
                empty.add(fmt::format("line {} has no frames", index.numbers[line]));
            else
                frames_per_line_.push_back(double(frames));
        }
        if (index.without_line > 0)
            report_.problems.push_back(
                {Severity::note, place,
                 fmt::format("{} frames have a negative index and belong to no line",
                             index.without_line)});
        if (!std::is_sorted(index.frames.begin(), index.frames.end()))
            report_.problems.push_back(
                {Severity::note, place, "the index is not sorted; this only costs time"});
    }

    void add_labels(const Recording& file, const LayerGroup& group,
                    const std::vector<double>& labels) {
        ProblemList unusable(report_.problems, Severity::error,
                             file.place(group, LayerPart::targets));
        const std::size_t targets = report_.targets.size();
        for (std::size_t line = 0; line < labels.size() / targets; ++line) {
            const double* values = labels.data() + line * targets;
            if (!file.are_usable(values))
                unusable.add(fmt::format("line {} has {}", line, to_text(report_.targets, values)));
            else
                for (std::size_t i = 0; i < targets; ++i) labels_[i].push_back(values[i]);
        }
    }

    void read_frames(const Recording& file, const LayerInfo& layer) {
        const auto frame_bytes = std::size_t(layer.height) * std::size_t(layer.width);
        std::uint64_t step = std::max<std::uint64_t>(block_bytes / frame_bytes, 1);
        if (!layer.frame_chunk.empty() && layer.frame_chunk[0] < step)
            step -= step % layer.frame_chunk[0];
        state_.total += layer.frames;
        std::vector<std::uint8_t> block(std::min(step, layer.frames) * frame_bytes);
        for (std::uint64_t first = 0; first < layer.frames; first += step) {
            const std::uint64_t count = std::min(step, layer.frames - first);
            file.read_frames(layer, first, count, block.data());
            const auto end = block.begin() + static_cast<std::ptrdiff_t>(count * frame_bytes);
            grey_sum_ += std::accumulate(block.begin(), end, std::uint64_t(0));
            saturated_ += static_cast<std::uint64_t>(std::count(block.begin(), end, 255));
            pixels_ += count * frame_bytes;
            state_.done += count;
            if (progress_) progress_(state_);
            check_stop();
        }
    }

    const InspectOptions& options_;
    JobProgress& state_;
    const ProgressCallback& progress_;
    MontageSelection& montage_;
    WindowCollection& windows_;
    FileInspection report_;
    // Gathered over the layers of the file.
    std::vector<double> frames_per_line_;
    std::vector<std::vector<double>> labels_;  ///< of each target
    std::uint64_t pixels_ = 0, saturated_ = 0, grey_sum_ = 0;
};

std::string describe(const Distribution& values, const std::string& unit) {
    if (values.count == 0) return "none";
    return fmt::format("{:.6g} to {:.6g} {}, median {:.6g}, 80 % within {:.6g} to {:.6g}",
                       values.minimum, values.maximum, unit, values.median, values.p10, values.p90);
}

std::string to_text(const FileInspection& file) {
    std::string text = fmt::format("{}\n", file.path);
    if (!file.layout.empty()) {
        text += fmt::format(
            "  layout           {}, {} bytes\n"
            "  objects          {} ({})\n"
            "  layers           {}, {} of them without laser_params\n"
            "  lines            {}\n"
            "  frames           {}, {}; {}; index {}\n"
            "  frames per line  {}\n",
            file.layout, file.bytes, file.objects.size(), fmt::join(file.objects, " "), file.layers,
            file.unlabelled_layers, file.lines, file.frames, fmt::join(file.frame_sizes, " "),
            fmt::join(file.frame_storage, " "), fmt::join(file.index_types, " "),
            describe(file.frames_per_line, "frames"));
        for (std::size_t i = 0; i < file.targets.size(); ++i)
            text += fmt::format("  {:<15}  {}\n", file.targets[i].name,
                                describe(file.labels[i], file.targets[i].unit));
        if (file.frames_were_read)
            text +=
                fmt::format("  grey values      mean {:.2f}; {:.3f} % of the pixels saturated\n",
                            file.mean_grey, 100 * file.saturated_fraction);
    }
    for (const FileProblem& problem : file.problems)
        text +=
            fmt::format("  {}  {}: {}\n", problem.severity == Severity::error ? "ERROR" : "note",
                        problem.place, problem.text);
    return text;
}

/// Nothing when there is no value.
Json json_of(const Distribution& values) { return values.count == 0 ? Json() : Json(values); }

Json json_of(const FileInspection& file) {
    Json json = file;
    json["frames_per_line"] = json_of(file.frames_per_line);
    for (std::size_t i = 0; i < file.targets.size(); ++i)
        json[metric_name(file.targets[i])] = json_of(file.labels[i]);
    if (file.layout.empty()) json["layout"] = nullptr;
    if (!file.frames_were_read) json["saturated_fraction"] = json["mean_grey"] = nullptr;
    return json;
}

}  // namespace

Distribution distribution_of(std::vector<double> values) {
    Distribution result;
    if (values.empty()) return result;
    std::sort(values.begin(), values.end());
    result.count = values.size();
    result.minimum = values.front();
    result.p10 = quantile(values, 0.1);
    result.median = quantile(values, 0.5);
    result.p90 = quantile(values, 0.9);
    result.maximum = values.back();
    result.mean = std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
    return result;
}

bool Inspection::has_errors() const {
    for (const FileInspection& file : files)
        for (const FileProblem& problem : file.problems)
            if (problem.severity == Severity::error) return true;
    return false;
}

Inspection inspect(const InspectOptions& options, const ProgressCallback& progress) {
    if (!options.montage.empty()) check_output_file(options.montage);
    Inspection inspection;
    JobProgress state;
    MontageSelection montage;
    WindowCollection windows;
    for (const std::string& path : expand_files(options.input)) {
        FileInspector inspector(options, state, progress, montage, windows);
        inspection.files.push_back(inspector.run(path));
    }
    windows.finish(inspection);
    if (!options.montage.empty()) montage.write(options.montage);
    return inspection;
}

std::string to_text(const Inspection& inspection) {
    std::string text;
    for (const FileInspection& file : inspection.files) text += to_text(file);
    if (!inspection.baselines.empty())
        text +=
            fmt::format(
                "without a network, of {} frames in the middle of a line (fitted on {} lines, "
                "scored on {} of other {})\n",
                WindowRule().frames, inspection.fitted, inspection.scored, inspection.held_out) +
            to_text(inspection.baselines, inspection.files.back().targets);
    return text;
}

std::string to_text(const std::vector<Baseline>& baselines, const std::vector<Target>& targets) {
    std::string text = fmt::format("  {:<28}  val_rmse", "");
    for (const Target& target : targets) text += fmt::format("{:>12}", "R2 " + target.name);
    text += '\n';
    for (const Baseline& baseline : baselines)
        text += fmt::format("  {:<28}{:10.4f}{:12.3f}\n", baseline.name, baseline.rmse,
                            fmt::join(baseline.r2, ""));
    return text;
}

std::string to_json_text(const Inspection& inspection) {
    Json files = Json::array();
    for (const FileInspection& file : inspection.files) files.push_back(json_of(file));
    Json baselines = Json::array();
    for (const Baseline& baseline : inspection.baselines)
        baselines.push_back({{"name", baseline.name},
                             {"val_rmse", baseline.rmse},
                             {"r2", baseline.r2},
                             {"target_rmse", baseline.target_rmse}});
    return Json{{"files", std::move(files)},
                {"baselines", std::move(baselines)},
                {"errors", inspection.has_errors()}}
               .dump(1) +
           "\n";
}

}  // namespace edgeloop
