#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/model/reference_check.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr const char* where = "architecture of the reference";
constexpr std::int64_t max_length = 65536;

/// Names other implementations give to swin3d's keys.
const std::map<std::string, std::string> swin3d_synonyms{
    {"patch_size", "patch"},           {"num_heads", "heads"},
    {"window_size", "window"},         {"drop_path_rate", "drop_path"},
    {"stochastic_depth", "drop_path"}, {"dropout_ratio", "dropout"}};

/// Keys that state what the family always does; any other value cannot be built.
const std::map<std::string, Json> swin3d_constants{
    {"in_channels", 1},    {"in_chans", 1},    {"outputs", 2},
    {"num_outputs", 2},    {"qkv_bias", true}, {"patch_norm", false},
    {"qk_scale", nullptr}, {"drop_rate", 0.0}, {"attn_drop_rate", 0.0}};

void require_constant(const std::string& key, const Json& value, const Json& expected) {
    if (value != expected)
        throw ConfigError(fmt::format("{}: '{}' is {}, but only {} can be built", where, key,
                                      value.dump(), expected.dump()));
}

/// A single number for a list of `length` equal entries, as some implementations allow.
Json as_list(const Json& value, std::size_t length) {
    return value.is_number() ? Json(std::vector<Json>(length, value)) : value;
}

/// head_hidden and fc_hidden (two numbers) or head_hidden (a list of both).
void set_head(const Json& given, Json& architecture) {
    const Json first = given.value("head_hidden", Json(400));
    if (first.is_array())
        architecture["head_hidden"] = first;
    else
        architecture["head_hidden"] = {first, given.value("fc_hidden", Json(200))};
}

Json swin3d_architecture(const Json& given) {
    Json architecture = Json::object();
    for (const auto& [key, value] : given.items()) {
        const auto synonym = swin3d_synonyms.find(key);
        const auto constant = swin3d_constants.find(key);
        if (key == "family" || key == "head_hidden" || key == "fc_hidden") continue;
        if (synonym != swin3d_synonyms.end())
            architecture[synonym->second] = value;
        else if (constant != swin3d_constants.end())
            require_constant(key, value, constant->second);
        else
            architecture[key] = value;  // our own names; unknown ones are refused when it is read
    }
    set_head(given, architecture);
    for (const char* key : {"patch", "window"})
        if (architecture.contains(key)) architecture[key] = as_list(architecture[key], 3);
    return architecture;
}

}  // namespace

ArchitectureSpec spec_of_reference(const Json& architecture,
                                   const std::vector<std::int64_t>& input_shape) {
    if (!architecture.is_object()) throw ConfigError(fmt::format("{}: must be an object", where));
    if (input_shape.size() != 5 || input_shape[1] != 1)
        throw ConfigError(
            "input of the reference: must have shape (batch, 1, frames, height, "
            "width)");
    for (const std::int64_t length : input_shape)
        if (length < 1 || length > max_length)
            throw ConfigError(fmt::format("input of the reference: a dimension of {}", length));
    ArchitectureSpec spec;
    const Json family = architecture.value("family", Json("swin3d"));
    if (!family.is_string()) throw ConfigError(fmt::format("{}.family: must be a text", where));
    spec.family = family.get<std::string>();
    if (spec.family != "swin3d" && input_shape[3] != input_shape[4])
        throw ConfigError("input of the reference: height and width must be equal for this family");
    spec.clip.frames = static_cast<int>(input_shape[2]);
    spec.clip.side = static_cast<int>(std::max(input_shape[3], input_shape[4]));
    Json own = architecture.value("architecture", architecture);
    if (!own.is_object())
        throw ConfigError(fmt::format("{}.architecture: must be an object", where));
    own.erase("family");
    spec.architecture = spec.family == "swin3d" ? swin3d_architecture(own) : own;
    return spec;
}

}  // namespace edgeloop
