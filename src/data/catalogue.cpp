#include "edgeloop/data/catalogue.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/data/preprocessing.hpp"

#include <cmath>
#include <set>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::uint64_t catalogue_limit_bytes = std::uint64_t(256) << 20;
constexpr std::uint64_t largest_count = std::uint64_t(1) << 53;

[[noreturn]] void damaged(const std::string& where, const std::string& problem) {
    throw ConfigError(fmt::format("catalogue {}: {}", where, problem), {},
                      "make the shards again with edgeloop-data shard");
}

/// Typed access to the members of a JSON object, with errors that name the member.
class Fields {
  public:
    Fields(const Json& object, std::initializer_list<std::string_view> known, std::string where)
        : object_(object), where_(std::move(where)) {
        if (!object.is_object()) damaged(where_, "expected an object");
        require_known_keys(object, known, where_);
    }

    [[nodiscard]] const Json& at(const char* key) const {
        const auto found = object_.find(key);
        if (found == object_.end()) damaged(where_, fmt::format("'{}' is missing", key));
        return *found;
    }
    [[nodiscard]] std::string text(const char* key) const {
        const Json& value = at(key);
        if (!value.is_string()) damaged(where_, fmt::format("'{}' is not a text", key));
        return value.get<std::string>();
    }
    [[nodiscard]] std::uint64_t count(const char* key) const {
        const std::uint64_t value = number(key);
        if (value > largest_count) damaged(where_, fmt::format("'{}' is out of range", key));
        return value;
    }
    [[nodiscard]] std::uint64_t number(const char* key) const {
        const Json& value = at(key);
        if (!value.is_number_unsigned())
            damaged(where_, fmt::format("'{}' is not a whole number", key));
        return value.get<std::uint64_t>();
    }
    [[nodiscard]] double real(const char* key) const {
        const Json& value = at(key);
        if (!value.is_number() || !std::isfinite(value.get<double>()))
            damaged(where_, fmt::format("'{}' is not a number", key));
        return value.get<double>();
    }
    [[nodiscard]] const Json& list(const char* key) const {
        const Json& value = at(key);
        if (!value.is_array()) damaged(where_, fmt::format("'{}' is not a list", key));
        return value;
    }

  private:
    const Json& object_;
    std::string where_;
};

Json to_json(const TargetStatistics& targets) {
    return {{"lines", targets.lines},
            {"mean_speed_mm_s", targets.mean_speed_mm_s},
            {"variance_speed", targets.variance_speed},
            {"mean_power_w", targets.mean_power_w},
            {"variance_power", targets.variance_power}};
}

Json to_json(const CatalogueShard& shard) {
    Json json = {{"file", shard.file},
                 {"bytes", shard.bytes},
                 {"lines", shard.lines},
                 {"frames", shard.frames},
                 {"digest", shard.digest}};
    if (!shard.content.empty()) json["content"] = shard.content;
    return json;
}

Json to_json(const CatalogueLayer& layer) {
    return {{"object", layer.object},        {"layer", layer.layer}, {"source", layer.source},
            {"part", name_of(layer.part)},   {"lines", layer.lines}, {"frames", layer.frames},
            {"first_line", layer.first_line}};
}

Json to_json(const SplitOptions& split) {
    return {{"mode", name_of(split.mode)},
            {"seed", split.seed},
            {"validation_fraction", split.validation_fraction},
            {"test_fraction", split.test_fraction}};
}

/// Version 1 has no digests of content; one that was read keeps its version, and so its digest.
int version_of(const Catalogue& catalogue) {
    for (const CatalogueShard& shard : catalogue.shards)
        if (shard.content.empty()) return 1;
    return catalogue_version;
}

Json to_json(const Catalogue& catalogue) {
    Json parts = Json::object(), shards = Json::array(), layers = Json::array();
    for (int i = 0; i < split_part_count; ++i) {
        const auto part = static_cast<SplitPart>(i);
        const PartSummary& summary = catalogue.part(part);
        parts[name_of(part)] = {{"layers", summary.layers},
                                {"lines", summary.lines},
                                {"frames", summary.frames},
                                {"targets", to_json(summary.targets)}};
    }
    for (const CatalogueShard& shard : catalogue.shards) shards.push_back(to_json(shard));
    for (const CatalogueLayer& layer : catalogue.layers) layers.push_back(to_json(layer));
    return {{"format", "edgeloop-catalogue"},
            {"version", version_of(catalogue)},
            {"crop_side", crop_side},
            {"split", to_json(catalogue.split)},
            {"settings_digest", catalogue.settings_digest},
            {"lines_without_frames", catalogue.lines_without_frames},
            {"frames_without_line", catalogue.frames_without_line},
            {"parts", std::move(parts)},
            {"shards", std::move(shards)},
            {"layers", std::move(layers)}};
}

TargetStatistics targets_from(const Json& json, const std::string& where) {
    const Fields fields(
        json, {"lines", "mean_speed_mm_s", "variance_speed", "mean_power_w", "variance_power"},
        where);
    return {fields.count("lines"), fields.real("mean_speed_mm_s"), fields.real("variance_speed"),
            fields.real("mean_power_w"), fields.real("variance_power")};
}

CatalogueShard shard_from(const Json& json, std::uint64_t version, const std::string& where) {
    const Fields fields(json, {"file", "bytes", "lines", "frames", "digest", "content"}, where);
    CatalogueShard shard{fields.text("file"),   fields.count("bytes"),
                         fields.count("lines"), fields.count("frames"),
                         fields.text("digest"), version == 1 ? "" : fields.text("content")};
    if (version > 1 && shard.content.empty()) damaged(where, "'content' is empty");
    if (shard.file.empty() || shard.file.find('/') != std::string::npos)
        damaged(where, fmt::format("'{}' is not the name of a shard", shard.file));
    return shard;
}

CatalogueLayer layer_from(const Json& json, const std::string& where) {
    const Fields fields(
        json, {"object", "layer", "source", "part", "first_line", "lines", "frames"}, where);
    return {fields.text("object"),      fields.text("layer"),
            fields.text("source"),      split_part_from(fields.text("part")),
            fields.count("first_line"), fields.count("lines"),
            fields.count("frames")};
}

SplitOptions split_from(const Json& json, const std::string& where) {
    const Fields fields(json, {"mode", "seed", "validation_fraction", "test_fraction"}, where);
    return {split_mode_from(fields.text("mode")), fields.number("seed"),
            fields.real("validation_fraction"), fields.real("test_fraction")};
}

PartSummary part_from(const Json& json, const std::string& where) {
    const Fields fields(json, {"layers", "lines", "frames", "targets"}, where);
    return {fields.count("layers"), fields.count("lines"), fields.count("frames"),
            targets_from(fields.at("targets"), where + ", targets")};
}

/// Layers number the lines without gap; layers, parts and shards agree on every total.
void check_totals(const Catalogue& catalogue, const std::string& where) {
    std::array<PartSummary, split_part_count> parts;
    std::uint64_t lines = 0, frames = 0, shard_lines = 0, shard_frames = 0;
    for (const CatalogueLayer& layer : catalogue.layers) {
        if (layer.first_line != lines)
            damaged(where, fmt::format("layer '{}/{}' starts at line {}, not {}", layer.object,
                                       layer.layer, layer.first_line, lines));
        lines += layer.lines;
        frames += layer.frames;
        PartSummary& part = parts[static_cast<std::size_t>(layer.part)];
        ++part.layers;
        part.lines += layer.lines;
        part.frames += layer.frames;
    }
    for (const CatalogueShard& shard : catalogue.shards) {
        shard_lines += shard.lines;
        shard_frames += shard.frames;
    }
    if (lines != shard_lines || frames != shard_frames)
        damaged(where, "layers and shards disagree on the number of lines or frames");
    for (int i = 0; i < split_part_count; ++i) {
        const auto index = static_cast<std::size_t>(i);
        if (parts[index].layers != catalogue.parts[index].layers ||
            parts[index].lines != catalogue.parts[index].lines ||
            parts[index].frames != catalogue.parts[index].frames)
            damaged(where, fmt::format("part '{}' disagrees with the layers",
                                       name_of(static_cast<SplitPart>(i))));
    }
}

void check_header(const Fields& fields, const std::string& where) {
    if (fields.text("format") != "edgeloop-catalogue") damaged(where, "not a catalogue of shards");
    const std::uint64_t version = fields.number("version");
    if (version < 1 || version > catalogue_version)
        damaged(where, fmt::format("format version {}; this program reads versions 1 to {}",
                                   version, catalogue_version));
    if (fields.number("crop_side") != crop_side)
        damaged(where, fmt::format("crops of side {}; this program uses {}",
                                   fields.number("crop_side"), crop_side));
}

/// Mean over samples of (target - centre)^2 from the part's own mean and variance.
double mean_square_around(double centre, double mean, double variance) {
    return variance + (mean - centre) * (mean - centre);
}

}  // namespace

std::string format_catalogue(const Catalogue& catalogue) {
    Json json = to_json(catalogue);
    json["digest"] = digest(json.dump()).hex();
    return json.dump(1) + "\n";
}

Catalogue parse_catalogue(std::string_view text, const std::string& where) {
    Json json = parse_json(text, where);
    const Fields fields(
        json,
        {"format", "version", "crop_side", "split", "settings_digest", "lines_without_frames",
         "frames_without_line", "parts", "shards", "layers", "digest"},
        where);
    check_header(fields, where);
    Catalogue catalogue;
    catalogue.split = split_from(fields.at("split"), where + ", split");
    catalogue.settings_digest = fields.text("settings_digest");
    catalogue.lines_without_frames = fields.count("lines_without_frames");
    catalogue.frames_without_line = fields.count("frames_without_line");
    const Fields parts(fields.at("parts"), {"train", "validation", "test", "prediction"},
                       where + ", parts");
    for (std::size_t i = 0; i < catalogue.parts.size(); ++i) {
        const char* name = name_of(static_cast<SplitPart>(i));
        catalogue.parts[i] = part_from(parts.at(name), fmt::format("{}, part '{}'", where, name));
    }
    for (const Json& shard : fields.list("shards"))
        catalogue.shards.push_back(shard_from(shard, fields.number("version"), where + ", shards"));
    for (const Json& layer : fields.list("layers"))
        catalogue.layers.push_back(layer_from(layer, where + ", layers"));
    check_totals(catalogue, where);
    const std::string recorded = fields.text("digest");
    json.erase("digest");
    if (digest(json.dump()).hex() != recorded) damaged(where, "its digest does not match");
    return catalogue;
}

Catalogue read_catalogue(const std::string& folder) {
    const std::string path = folder + "/catalogue.json";
    return parse_catalogue(read_file(path, catalogue_limit_bytes), fmt::format("'{}'", path));
}

std::string catalogue_digest(const Catalogue& catalogue) {
    return digest(to_json(catalogue).dump()).hex();
}

double mean_predictor_rmse(const Catalogue& catalogue, SplitPart part) {
    const TargetStatistics& train = catalogue.part(SplitPart::train).targets;
    const TargetStatistics& other = catalogue.part(part).targets;
    if (train.lines == 0 || other.lines == 0)
        throw ConfigError(fmt::format("part '{}' has no labelled lines to score", name_of(part)));
    const double speed =
        mean_square_around(train.mean_speed_mm_s, other.mean_speed_mm_s, other.variance_speed);
    const double power =
        mean_square_around(train.mean_power_w, other.mean_power_w, other.variance_power);
    return std::sqrt(
        (speed / (speed_scale_mm_s * speed_scale_mm_s) + power / (power_scale_w * power_scale_w)) /
        2);
}

}  // namespace edgeloop
