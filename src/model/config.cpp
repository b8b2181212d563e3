#include "model/config.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr int largest_width = 65536;
constexpr int largest_extent = 256;
constexpr std::size_t most_stages = 16;
constexpr int most_repeats = 64;

/// Typed, range-checked access to the keys of one JSON object.
class Fields {
  public:
    Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
        if (!object_.is_object()) throw ConfigError(where_ + ": must be an object");
    }

    [[nodiscard]] bool has(const char* key) const { return object_.contains(key); }
    [[nodiscard]] std::string place(const char* key) const { return where_ + "." + key; }

    [[nodiscard]] const Json& at(const char* key) const {
        if (!has(key)) throw ConfigError(fmt::format("{}: key '{}' is missing", where_, key));
        return object_.at(key);
    }
    void integer(const char* key, int low, int high, int& value) const {
        if (has(key)) value = integer_from(object_.at(key), place(key), low, high);
    }
    void number(const char* key, double low, double high, double& value) const {
        if (!has(key)) return;
        const Json& json = object_.at(key);
        if (!json.is_number() || !(json.get<double>() >= low && json.get<double>() <= high))
            throw ConfigError(
                fmt::format("{}: must be a number from {} to {}", place(key), low, high));
        value = json.get<double>();
    }
    template <std::size_t n>
    void integers(const char* key, int low, int high, std::array<int, n>& values) const {
        if (!has(key)) return;
        const auto list = integer_list(key, n, n, low, high);
        std::copy(list.begin(), list.end(), values.begin());
    }
    [[nodiscard]] std::vector<int> integer_list(const char* key, std::size_t shortest,
                                                std::size_t longest, int low, int high) const {
        std::vector<int> values;
        for (const Json& item : list(key, shortest, longest))
            values.push_back(
                integer_from(item, fmt::format("{}[{}]", place(key), values.size()), low, high));
        return values;
    }
    [[nodiscard]] const Json& list(const char* key, std::size_t shortest,
                                   std::size_t longest) const {
        const Json& json = at(key);
        if (!json.is_array() || json.size() < shortest || json.size() > longest)
            throw ConfigError(fmt::format("{}: must be a list of {} to {} entries", place(key),
                                          shortest, longest));
        return json;
    }
    /// Index of the text in `choices`.
    void choice(const char* key, std::initializer_list<std::string_view> choices,
                std::size_t& index) const {
        if (!has(key)) return;
        const Json& json = object_.at(key);
        const auto found = json.is_string() ? std::find(choices.begin(), choices.end(),
                                                        json.get_ref<const std::string&>())
                                            : choices.end();
        if (found == choices.end())
            throw ConfigError(
                fmt::format("{}: must be one of: {}", place(key), fmt::join(choices, ", ")));
        index = static_cast<std::size_t>(found - choices.begin());
    }

  private:
    static int integer_from(const Json& json, const std::string& where, int low, int high) {
        if (!json.is_number_integer() || json.get<std::int64_t>() < low ||
            json.get<std::int64_t>() > high)
            throw ConfigError(
                fmt::format("{}: must be an integer from {} to {}", where, low, high));
        return json.get<int>();
    }

    const Json& object_;
    std::string where_;
};

constexpr const char* root = "architecture";

void check_clip(const ArchitectureSpec& spec) {
    if (spec.clip.frames < 1 || spec.clip.side < 1)
        throw ConfigError(fmt::format("clip: frames ({}) and side ({}) must be positive",
                                      spec.clip.frames, spec.clip.side));
}

void check_heads(const Swin3dConfig& config) {
    if (config.heads.size() != config.depths.size())
        throw ConfigError(fmt::format("architecture.heads: has {} entries but depths has {}",
                                      config.heads.size(), config.depths.size()),
                          "each stage needs one number of heads");
    for (std::size_t i = 0; i < config.heads.size(); ++i) {
        if (config.width(i) % config.heads[i] != 0)
            throw ConfigError(
                fmt::format("architecture.heads[{}]: {} heads do not divide the width {}", i,
                            config.heads[i], config.width(i)),
                "every head takes an equal share of the channels",
                "choose heads that divide embed_dim * 2^stage");
        if (config.mlp_width(i) < 1)
            throw ConfigError("architecture.mlp_ratio: leaves the MLP no hidden channel");
    }
}

}  // namespace

Swin3dConfig swin3d_config(const ArchitectureSpec& spec) {
    check_clip(spec);
    require_known_keys(spec.architecture,
                       {"patch", "embed_dim", "depths", "heads", "window", "mlp_ratio",
                        "head_hidden", "drop_path", "dropout"},
                       root);
    const Fields fields(spec.architecture, root);
    Swin3dConfig config;
    fields.integers("patch", 1, largest_extent, config.patch);
    fields.integer("embed_dim", 1, largest_width / 8, config.embed_dim);
    config.depths = fields.integer_list("depths", 1, 4, 1, most_repeats);
    config.heads = fields.integer_list("heads", 1, 4, 1, largest_width);
    fields.integers("window", 1, 32, config.window);
    fields.number("mlp_ratio", 1.0 / 64, 64, config.mlp_ratio);
    fields.integers("head_hidden", 1, largest_width, config.head_hidden);
    fields.number("drop_path", 0, 0.99, config.drop_path);
    fields.number("dropout", 0, 0.99, config.dropout);
    check_heads(config);
    return config;
}

Cnn3dConfig cnn3d_config(const ArchitectureSpec& spec) {
    check_clip(spec);
    require_known_keys(spec.architecture, {"stages", "hidden", "norm", "dropout", "reduce"}, root);
    const Fields fields(spec.architecture, root);
    Cnn3dConfig config;
    for (const Json& json : fields.list("stages", 1, most_stages)) {
        const std::string where = fmt::format("{}.stages[{}]", root, config.stages.size());
        require_known_keys(json, {"channels", "kernel", "pool"}, where);
        const Fields stage_fields(json, where);
        Cnn3dConfig::Stage stage;
        static_cast<void>(stage_fields.at("channels"));
        stage_fields.integer("channels", 1, largest_width, stage.channels);
        stage_fields.integers("kernel", 1, 31, stage.kernel);
        stage_fields.integers("pool", 1, largest_extent, stage.pool);
        config.stages.push_back(stage);
    }
    if (fields.has("hidden"))
        config.hidden = fields.integer_list("hidden", 0, most_stages, 1, largest_width);
    std::size_t norm = 1;
    fields.choice("norm", {"none", "group"}, norm);
    config.norm = static_cast<Cnn3dConfig::Norm>(norm);
    std::size_t reduce = 0;
    fields.choice("reduce", {"mean", "flatten"}, reduce);
    config.reduce = static_cast<Cnn3dConfig::Reduce>(reduce);
    fields.number("dropout", 0, 0.99, config.dropout);
    return config;
}

Mbconv3dConfig mbconv3d_config(const ArchitectureSpec& spec) {
    check_clip(spec);
    require_known_keys(spec.architecture, {"stem", "stages", "head", "dropout"}, root);
    const Fields fields(spec.architecture, root);
    Mbconv3dConfig config;
    fields.integer("stem", 1, largest_width, config.stem);
    for (const Json& json : fields.list("stages", 1, most_stages)) {
        const std::string where = fmt::format("{}.stages[{}]", root, config.stages.size());
        require_known_keys(
            json, {"channels", "expansion", "kernel", "stride", "repeats", "squeeze"}, where);
        const Fields stage_fields(json, where);
        Mbconv3dConfig::Stage stage;
        static_cast<void>(stage_fields.at("channels"));
        stage_fields.integer("channels", 1, largest_width, stage.channels);
        stage_fields.number("expansion", 0.125, 16, stage.expansion);
        stage_fields.integers("kernel", 1, 31, stage.kernel);
        stage_fields.integers("stride", 1, 16, stage.stride);
        stage_fields.integer("repeats", 1, most_repeats, stage.repeats);
        stage_fields.number("squeeze", 0, 1, stage.squeeze);
        config.stages.push_back(stage);
    }
    fields.integer("head", 1, largest_width, config.head);
    fields.number("dropout", 0, 0.99, config.dropout);
    return config;
}

int norm_groups(int channels) {
    for (int groups = std::min(8, channels); groups > 1; --groups)
        if (channels % groups == 0) return groups;
    return 1;
}

int expanded_width(int channels, double expansion) {
    return std::max(1, static_cast<int>(std::lround(channels * expansion)));
}

int squeeze_width(int expanded, double squeeze) {
    return std::max(1, static_cast<int>(std::lround(expanded * squeeze)));
}

}  // namespace edgeloop
