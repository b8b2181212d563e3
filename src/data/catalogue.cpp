#include "edgeloop/data/catalogue.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <fmt/format.h>

namespace edgeloop {

// The members' names are the keys of the file.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Target, name, unit, scale);
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TargetStatistics, lines, mean, variance);
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PartSummary, layers, lines, frames, targets);
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CatalogueShard, file, bytes, lines, frames, digest, content);

static void to_json(Json& json, SplitPart part) { json = name_of(part); }
static void from_json(const Json& json, SplitPart& part) {
    part = split_part_from(json.get<std::string>());
}
static void to_json(Json& json, SplitMode mode) { json = name_of(mode); }
static void from_json(const Json& json, SplitMode& mode) {
    mode = split_mode_from(json.get<std::string>());
}
static void to_json(Json& json, Crop crop) { json = name_of(crop); }
static void from_json(const Json& json, Crop& crop) { crop = crop_from(json.get<std::string>()); }
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SplitOptions, mode, seed, validation_fraction, test_fraction);
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CatalogueLayer, object, layer, source, part, first_line, lines,
                                   frames);

namespace {

constexpr std::uint64_t catalogue_limit_bytes = std::uint64_t(256) << 20;
constexpr std::uint64_t max_count = std::uint64_t(1) << 53;

[[noreturn]] void damaged(const std::string& where, const std::string& problem) {
    throw ConfigError(fmt::format("catalogue {}: {}", where, problem), {},
                      "make the shards again with edgeloop-data shard");
}

Json json_of(const Catalogue& catalogue) {
    Json parts = Json::object();
    for (int i = 0; i < split_part_count; ++i)
        parts[name_of(SplitPart(i))] = catalogue.part(SplitPart(i));
    return {{"format", "edgeloop-catalogue"},
            {"version", catalogue_version},
            {"crop_side", crop_side},
            {"targets", catalogue.targets},
            {"crop", catalogue.crop},
            {"split", catalogue.split},
            {"settings_digest", catalogue.settings_digest},
            {"lines_without_frames", catalogue.lines_without_frames},
            {"frames_without_line", catalogue.frames_without_line},
            {"parts", std::move(parts)},
            {"shards", catalogue.shards},
            {"layers", catalogue.layers}};
}

/// Brings what an older program wrote to today's form. Version 1 had no digests of content, before
/// version 3 all targets were speed and power, before version 4 crops were as published.
void upgrade(Json& json) {
    if (json.at("version") < 2)
        for (Json& shard : json.at("shards")) shard["content"] = "";
    if (json.at("version") < 3) {
        json["targets"] = raise_targets();
        for (Json& part : json.at("parts")) {
            const Json old = part.at("targets");
            TargetStatistics targets{old.at("lines"), {}, {}};
            if (targets.lines > 0) {
                targets.mean = {old.at("mean_speed_mm_s"), old.at("mean_power_w")};
                targets.variance = {old.at("variance_speed"), old.at("variance_power")};
            }
            part["targets"] = targets;
        }
    }
    if (json.at("version") < 4) json["crop"] = Crop::published;
    json["version"] = catalogue_version;
}

template <class Value>
void read(const Json& json, const char* key, Value& value, const std::string& where) {
    try {
        json.at(key).get_to(value);
    } catch (const Json::exception& error) {
        damaged(fmt::format("{}, '{}'", where, key), error.what());
    }
}

/// @param where  named in errors.
void check_header(const Json& json, const std::string& where) {
    if (json.at("format") != "edgeloop-catalogue") damaged(where, "not a catalogue of shards");
    const Json& version = json.at("version");
    if (!version.is_number_unsigned() || version < 1 || version > catalogue_version)
        damaged(where, fmt::format("format version {}; this program reads versions 1 to {}",
                                   version.dump(), catalogue_version));
    if (json.at("crop_side") != crop_side)
        damaged(where, fmt::format("crops of side {}; this program uses {}",
                                   json.at("crop_side").dump(), crop_side));
}

void check_targets(const Catalogue& catalogue, const std::string& where) {
    if (catalogue.targets.empty()) damaged(where, "there is no target");
    for (const Target& target : catalogue.targets)
        if (target.name.empty() || !(target.scale > 0))
            damaged(where, "a target needs a name and a positive scale");
    for (const PartSummary& part : catalogue.parts) {
        const std::size_t numbers = part.targets.lines > 0 ? catalogue.targets.size() : 0;
        if (part.targets.mean.size() != numbers || part.targets.variance.size() != numbers)
            damaged(where, "statistics of a part do not fit the targets");
    }
}

/// Layers number the lines without gap; layers, parts and shards agree on every total.
void check_totals(const Catalogue& catalogue, const std::string& where) {
    std::array<PartSummary, split_part_count> parts;
    std::uint64_t lines = 0, frames = 0, shard_lines = 0, shard_frames = 0;
    for (const CatalogueLayer& layer : catalogue.layers) {
        if (layer.first_line != lines)
            damaged(where, fmt::format("layer '{}/{}' starts at line {}, not {}", layer.object,
                                       layer.layer, layer.first_line, lines));
        if (layer.lines > max_count || layer.frames > max_count)
            damaged(where, "a number of lines or frames is out of range");
        lines += layer.lines;
        frames += layer.frames;
        PartSummary& part = parts[static_cast<std::size_t>(layer.part)];
        ++part.layers;
        part.lines += layer.lines;
        part.frames += layer.frames;
    }
    for (const CatalogueShard& shard : catalogue.shards) {
        if (shard.file.empty() || shard.file.find('/') != std::string::npos)
            damaged(where, fmt::format("'{}' is not the name of a shard", shard.file));
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

Catalogue from_json_of_today(const Json& json, const std::string& where) {
    Catalogue catalogue;
    read(json, "targets", catalogue.targets, where);
    read(json, "crop", catalogue.crop, where);
    read(json, "split", catalogue.split, where);
    read(json, "settings_digest", catalogue.settings_digest, where);
    read(json, "lines_without_frames", catalogue.lines_without_frames, where);
    read(json, "frames_without_line", catalogue.frames_without_line, where);
    for (int i = 0; i < split_part_count; ++i)
        read(json.at("parts"), name_of(SplitPart(i)), catalogue.parts.at(std::size_t(i)), where);
    read(json, "shards", catalogue.shards, where);
    read(json, "layers", catalogue.layers, where);
    // Numbers were converted and unknown members passed over: both show when it is written again.
    if (json_of(catalogue) != json)
        damaged(where, "a member is unknown, or a number is not of the kind that is expected");
    return catalogue;
}

}  // namespace

std::string format_catalogue(const Catalogue& catalogue) {
    Json json = json_of(catalogue);
    json["digest"] = digest(json.dump()).hex();
    return json.dump(1) + "\n";
}

Catalogue parse_catalogue(std::string_view text, const std::string& where) {
    Json json = parse_json(text, where);
    try {
        check_header(json, where);
        const std::string recorded = json.at("digest");
        json.erase("digest");
        if (digest(json.dump()).hex() != recorded) damaged(where, "its digest does not match");
        upgrade(json);
        Catalogue catalogue = from_json_of_today(json, where);
        check_targets(catalogue, where);
        check_totals(catalogue, where);
        for (Target& target : catalogue.targets) {  // metrics are called after them
            target.name = printable(target.name);
            target.unit = printable(target.unit);
        }
        catalogue.digest = recorded;
        return catalogue;
    } catch (const Json::exception& error) {
        damaged(where, error.what());
    }
}

Catalogue read_catalogue(const std::string& folder) {
    const std::string path = folder + "/catalogue.json";
    return parse_catalogue(read_file(path, catalogue_limit_bytes), fmt::format("'{}'", path));
}

}  // namespace edgeloop
