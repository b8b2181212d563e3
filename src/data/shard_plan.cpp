#include "data/shard_plan.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr int max_shards = 99999;

/// As the catalogue has it, like the names of objects and layers: recordings call themselves what
/// they like, and the catalogue is text.
std::string file_name(const std::string& path) {
    return printable(std::filesystem::path(path).filename().string());
}

void check_options(const ShardOptions& options) {
    if (options.shards < 1 || options.shards > max_shards)
        throw ConfigError(fmt::format("{} shards were asked for", options.shards),
                          fmt::format("1 to {} are possible", max_shards));
    if (options.output.empty())
        throw ConfigError("no output folder was given", {}, "add --output DIR");
}

/// Adds the lines of one layer that have frames. Returns a digest of its labels and line lengths.
std::string add_layer(ShardPlan& plan, const Recording& file, const LayerInfo& info) {
    const LineIndex index = file.line_index(info);
    std::vector<double> labels = file.labels(info);
    const std::size_t targets = plan.catalogue.targets.size();
    if (!info.labelled)
        labels.assign(index.lines() * targets, std::numeric_limits<double>::quiet_NaN());
    std::string identity;
    CatalogueLayer layer{printable(info.group.object), printable(info.group.layer),
                         file_name(file.path())};
    layer.first_line = plan.lines.size();
    for (std::size_t i = 0; i < index.lines(); ++i) {
        const std::size_t frames = index.frames_of(i);
        const auto begin = labels.begin() + std::ptrdiff_t(i * targets);
        const auto end = begin + std::ptrdiff_t(targets);
        identity += fmt::format("{} {} {}\n", index.numbers[i], frames, fmt::join(begin, end, " "));
        if (frames == 0) {
            ++plan.catalogue.lines_without_frames;
            continue;
        }
        plan.lines.push_back({static_cast<std::uint32_t>(plan.layers.size()),
                              static_cast<std::uint32_t>(i), index.numbers[i],
                              static_cast<std::uint32_t>(frames)});
        plan.labels.insert(plan.labels.end(), begin, end);
        layer.frames += frames;
    }
    layer.lines = plan.lines.size() - layer.first_line;
    plan.catalogue.frames_without_line += index.without_line;
    plan.catalogue.layers.push_back(std::move(layer));
    return digest(identity).hex();
}

/// Digest of the content of some files, as far as it is sampled; where they lie does not matter.
std::string content_of(const std::set<std::string>& files) {
    std::vector<std::string> digests;
    for (const std::string& file : files) digests.push_back(sampled_digest(file));
    std::sort(digests.begin(), digests.end());
    return digest(fmt::format("{}", fmt::join(digests, " "))).hex();
}

Json read_inputs(ShardPlan& plan) {
    Json inputs = Json::array();
    for (std::size_t i = 0; i < plan.files.size(); ++i) {
        const auto file = open_recording(plan.files[i], plan.external);
        std::vector<Target>& targets = plan.catalogue.targets;
        if (i == 0) targets = file->targets();
        if (file->targets() != targets)
            throw ConfigError(
                fmt::format("the recordings '{}' and '{}' differ in their targets", plan.files[0],
                            plan.files[i]),
                fmt::format("{} against {}", to_text(targets), to_text(file->targets())),
                "make shards of each kind");
        Json layers = Json::object();
        std::set<std::string> files = {plan.files[i]};
        for (const LayerInfo& info : file->layers()) {
            if (stop_signal() != 0)
                throw Stopped("stopped by a signal while the recordings were looked through");
            files.insert(info.files.begin(), info.files.end());
            layers[printable(info.group.path)] = add_layer(plan, *file, info);
            plan.layers.push_back({i, info});
        }
        for (const std::string& part : files) plan.seen[part] = stamp_of(part);
        inputs.push_back({{"file", file_name(plan.files[i])},
                          {"bytes", std::filesystem::file_size(plan.files[i])},
                          {"content", content_of(files)},
                          {"layers", std::move(layers)}});
    }
    return inputs;
}

void assign_parts(ShardPlan& plan, const SplitOptions& split) {
    std::vector<SplitLayer> layers;
    for (std::size_t i = 0; i < plan.layers.size(); ++i) {
        const CatalogueLayer& layer = plan.catalogue.layers[i];
        layers.push_back({layer.object, layer.layer, layer.source, plan.layers[i].info.labelled});
    }
    const std::vector<SplitPart> parts = split_layers(layers, split);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        CatalogueLayer& layer = plan.catalogue.layers[i];
        layer.part = parts[i];
        PartSummary& part = plan.catalogue.parts[static_cast<std::size_t>(layer.part)];
        ++part.layers;
        part.lines += layer.lines;
        part.frames += layer.frames;
    }
    plan.catalogue.split = split;
}

void cut(ShardPlan& plan, int shards) {
    if (plan.lines.size() < static_cast<std::size_t>(shards))
        throw ConfigError(fmt::format("{} lines cannot fill {} shards", plan.lines.size(), shards),
                          {}, "ask for fewer shards");
    std::vector<std::uint64_t> weights;
    weights.reserve(plan.lines.size());
    for (const PlannedLine& line : plan.lines) weights.push_back(line.frames);
    plan.cuts = balanced_cuts(weights, static_cast<std::size_t>(shards));
    for (std::size_t shard = 0; shard + 1 < plan.cuts.size(); ++shard) {
        CatalogueShard entry;
        entry.file = shard_name(shard);
        entry.lines = plan.cuts[shard + 1] - plan.cuts[shard];
        for (std::size_t i = plan.cuts[shard]; i < plan.cuts[shard + 1]; ++i)
            entry.frames += plan.lines[i].frames;
        plan.catalogue.shards.push_back(std::move(entry));
    }
}

/// Running mean and sum of squared deviations (Welford) of one target.
struct Moments {
    void add(double value) {
        ++count;
        const double change = value - mean;
        mean += change / double(count);
        squares += change * (value - mean);
    }

    std::uint64_t count = 0;
    double mean = 0, squares = 0;
};

void summarise_targets(ShardPlan& plan) {
    const std::size_t targets = plan.catalogue.targets.size();
    std::vector<Moments> moments(split_part_count * targets);
    for (std::size_t i = 0; i < plan.lines.size(); ++i) {
        const std::uint32_t layer = plan.lines[i].layer;
        const auto part = static_cast<std::size_t>(plan.catalogue.layers[layer].part);
        for (std::size_t t = 0; plan.layers[layer].info.labelled && t < targets; ++t)
            moments[part * targets + t].add(plan.labels[i * targets + t]);
    }
    for (std::size_t i = 0; i < moments.size(); ++i) {
        if (moments[i].count == 0) continue;
        TargetStatistics& statistics = plan.catalogue.parts[i / targets].targets;
        statistics.lines = moments[i].count;
        statistics.mean.push_back(moments[i].mean);
        statistics.variance.push_back(moments[i].squares / double(moments[i].count));
    }
}

}  // namespace

std::vector<std::size_t> balanced_cuts(const std::vector<std::uint64_t>& weights,
                                       std::size_t pieces) {
    EDGELOOP_EXPECT(pieces >= 1 && pieces <= weights.size(), "more pieces than entries");
    long double total = 0;
    for (const std::uint64_t weight : weights) total += static_cast<long double>(weight);
    std::vector<std::size_t> cuts = {0};
    long double before = 0;
    std::size_t next = 0;
    for (std::size_t piece = 1; piece < pieces; ++piece) {
        const long double goal =
            total * static_cast<long double>(piece) / static_cast<long double>(pieces);
        const std::size_t least = cuts.back() + 1, most = weights.size() - (pieces - piece);
        // An entry is taken while its middle lies before the goal: the nearer of the two borders.
        while (next < most &&
               (next < least || before + static_cast<long double>(weights[next]) / 2 < goal))
            before += static_cast<long double>(weights[next++]);
        cuts.push_back(next);
    }
    cuts.push_back(weights.size());
    return cuts;
}

std::string shard_name(std::size_t shard) { return fmt::format("shard-{:05}.h5", shard); }

ShardPlan make_shard_plan(const ShardOptions& options) {
    check_options(options);
    ShardPlan plan;
    plan.files = expand_files(options.input);
    plan.external = options.external;
    Json inputs = read_inputs(plan);
    assign_parts(plan, options.split);
    cut(plan, options.shards);
    summarise_targets(plan);
    plan.settings = {{"format_version", shard_version},
                     {"crop_side", crop_side},
                     {"shards", options.shards},
                     {"split", name_of(options.split.mode)},
                     {"seed", options.split.seed},
                     {"validation_fraction", options.split.validation_fraction},
                     {"test_fraction", options.split.test_fraction},
                     {"inputs", std::move(inputs)}};
    // Shards from before there was a choice are continued.
    if (options.crop != Crop::published) plan.settings["crop"] = name_of(options.crop);
    plan.catalogue.crop = options.crop;
    plan.catalogue.settings_digest = digest(plan.settings.dump()).hex();
    return plan;
}

ShardHead shard_head(const ShardPlan& plan, std::size_t shard) {
    ShardHead head;
    head.settings_digest = plan.catalogue.settings_digest;
    const std::size_t first = plan.cuts[shard], last = plan.cuts[shard + 1];
    const std::vector<CatalogueLayer>& layers = plan.catalogue.layers;
    const std::uint32_t first_layer = plan.lines[first].layer;
    for (std::uint32_t i = first_layer; i <= plan.lines[last - 1].layer; ++i)
        head.layers.push_back(
            fmt::format("{}:{}/{}", layers[i].source, layers[i].object, layers[i].layer));
    for (std::size_t i = first; i < last; ++i) {
        const PlannedLine& line = plan.lines[i];
        head.lines.push_back(
            {i, line.layer - first_layer, line.scan_line, line.frames, layers[line.layer].part});
    }
    head.targets = plan.catalogue.targets;
    const auto labels = plan.labels.begin();
    const auto targets = std::ptrdiff_t(head.targets.size());
    head.labels.assign(labels + std::ptrdiff_t(first) * targets,
                       labels + std::ptrdiff_t(last) * targets);
    return head;
}

}  // namespace edgeloop
