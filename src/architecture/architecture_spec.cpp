#include "edgeloop/architecture/architecture_spec.hpp"

#include "architecture/families.hpp"

#include "edgeloop/core/error.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

ClipShape clip_from(const Json& json, const Place& place) {
    const ObjectReader reader(json, place, {"frames", "stride", "side"});
    const ClipShape defaults;
    ClipShape clip;
    clip.frames = reader.integer("frames", {1, 4096}, defaults.frames);
    clip.stride = reader.integer("stride", {1, 4096}, defaults.stride);
    clip.side = reader.integer("side", {1, 4096}, defaults.side);
    return clip;
}

TrainingRecipe recipe_from(const Json& json, const Place& place) {
    const ObjectReader reader(json, place,
                              {"optimizer", "learning_rate", "weight_decay", "batch", "epochs",
                               "schedule", "step_epochs", "gamma"});
    const TrainingRecipe defaults;
    TrainingRecipe recipe;
    recipe.optimizer = reader.choice("optimizer", {"adam", "adamw", "sgd"}, "adam");
    recipe.learning_rate = reader.number("learning_rate", {1e-12, 1e3}, defaults.learning_rate);
    recipe.weight_decay = reader.number("weight_decay", {0, 10}, defaults.weight_decay);
    recipe.batch = reader.integer("batch", {1, 65536}, defaults.batch);
    recipe.epochs = reader.integer("epochs", {1, 1e6}, defaults.epochs);
    recipe.schedule = reader.choice("schedule", {"step", "cosine", "constant"}, "step");
    const int step_epochs = reader.integer("step_epochs", {1, 1e6}, defaults.step_epochs);
    const double gamma = reader.number("gamma", {1e-9, 1}, defaults.gamma);
    // Other schedules have no steps; the defaults keep equal recipes equal.
    if (recipe.schedule == "step") {
        recipe.step_epochs = step_epochs;
        recipe.gamma = gamma;
    }
    return recipe;
}

ArchitectureSpec spec_from(const Json& json, const Place& place) {
    const ObjectReader reader(json, place, {"family", "architecture", "clip", "training"});
    ArchitectureSpec spec;
    spec.family = reader.text("family");
    const Family* family = find_family(spec.family);
    if (family == nullptr)
        throw ConfigError(
            fmt::format("{}: unknown family '{}'", reader.place("family").text(), spec.family), {},
            fmt::format("the families are {}", fmt::join(known_families(), ", ")));
    spec.architecture =
        family->normalise(reader.member("architecture"), reader.place("architecture"));
    if (reader.has("clip")) spec.clip = clip_from(reader.member("clip"), reader.place("clip"));
    if (reader.has("training"))
        spec.training = recipe_from(reader.member("training"), reader.place("training"));
    return spec;
}

}  // namespace

ArchitectureSpec ArchitectureSpec::from_json(const Json& json, const std::string& where) {
    return spec_from(json, Place(where));
}

ArchitectureSpec ArchitectureSpec::from_file(const std::string& path_or_name) {
    const TextFile file = read_shipped_or_file(path_or_name, "spec", shipped_specs());
    const Json json = parse_json(file.text, file.name);  // first: positions need valid JSON
    ArchitectureSpec spec = spec_from(json, Place(file.name, file.text));
    if (const auto problem = static_problem(spec)) throw ConfigError(file.name + ": " + *problem);
    return spec;
}

Json ArchitectureSpec::to_json() const {
    return {{"family", family},
            {"architecture", architecture},
            {"clip", {{"frames", clip.frames}, {"stride", clip.stride}, {"side", clip.side}}},
            {"training",
             {{"optimizer", training.optimizer},
              {"learning_rate", training.learning_rate},
              {"weight_decay", training.weight_decay},
              {"batch", training.batch},
              {"epochs", training.epochs},
              {"schedule", training.schedule},
              {"step_epochs", training.step_epochs},
              {"gamma", training.gamma}}}};
}

std::string ArchitectureSpec::canonical() const { return to_json().dump(); }

Digest ArchitectureSpec::identity() const { return digest(canonical()); }

Digest ArchitectureSpec::network_identity() const {
    Json network = to_json();
    network.erase("training");
    return digest(network.dump());
}

}  // namespace edgeloop
