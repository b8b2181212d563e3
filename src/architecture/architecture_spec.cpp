#include "edgeloop/architecture/architecture_spec.hpp"

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/architecture/static_rules.hpp"
#include "edgeloop/core/error.hpp"

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// REQUIRES: the clip has been read.
void read_low_rank(ArchitectureSpec& spec, const AnyFamily& network, const ObjectReader& reader) {
    const Place place = reader.place("low_rank");
    spec.low_rank = low_rank_from(reader.member("low_rank"), place);
    std::visit(
        [&](const auto& own) {
            const TensorFormats formats = own.tensor_formats();
            if (!own.problem())  // else its layers are none
                check_low_rank(spec.low_rank, formats, own.tensor_layers(spec.clip),
                               own.layer_groups().stages, place);
            spec.low_rank.settle(!formats.dense.empty());
        },
        network);
}

ArchitectureSpec spec_from(const Json& json, const Place& place) {
    const ObjectReader reader(
        json, place,
        {"family", "architecture", "clip", "training", "quantisation", "low_rank", "hardware"});
    ArchitectureSpec spec;
    spec.family = reader.text("family");
    AnyFamily network = family_named(spec.family, reader.place("family"));
    const std::vector<Field> fields = fields_of(network);
    read_fields(fields, reader.member("architecture"), reader.place("architecture"));
    spec.architecture = write_fields(fields);
    if (reader.has("quantisation")) {
        spec.quantisation =
            quantisation_from(reader.member("quantisation"), reader.place("quantisation"));
        spec.quantisation.settle(
            std::visit([](const auto& own) { return own.layer_groups(); }, network));
    }
    if (reader.has("hardware"))
        read_fields(spec.hardware.emplace().fields(), reader.member("hardware"),
                    reader.place("hardware"));
    if (reader.has("clip"))
        read_fields(spec.clip.fields(), reader.member("clip"), reader.place("clip"));
    if (reader.has("low_rank")) read_low_rank(spec, network, reader);
    if (!reader.has("training")) return spec;
    read_fields(spec.training.fields(), reader.member("training"), reader.place("training"));
    // Other schedules have no steps; the defaults keep equal recipes equal.
    if (spec.training.schedule != "step") {
        const TrainingRecipe defaults;
        spec.training.step_epochs = defaults.step_epochs;
        spec.training.gamma = defaults.gamma;
    }
    return spec;
}

}  // namespace

std::vector<Field> ClipShape::fields() {
    return {
        {"frames", frames, {1, 4096}, "of a clip"},
        {"stride", stride, {1, 4096}, "distance of two frames, in frames of the recording"},
        {"side", side, {1, 4096}, "pixels after resizing the 41 x 41 crop"},
        {"mean", mean, {0, 1}, "of grey values from 0 to 1; subtracted"},
        {"deviation", deviation, {1e-3, 10}, "of grey values from 0 to 1; divided by"},
    };
}

std::vector<Field> TrainingRecipe::fields() {
    return {
        {"optimizer", optimizer, {"adam", "adamw", "sgd"}, ""},
        {"learning_rate",
         learning_rate,
         {1e-12, 1e3},
         "of the first step; with one-cycle the highest"},
        {"weight_decay", weight_decay, {0, 10}, "decoupled for adamw"},
        {"batch", batch, {1, 65536}, "clips per rank and step"},
        Field("micro_batch", micro_batch, {0, 65536},
              "clips that pass through the network at once, their gradients added up; 0: the batch")
            .added_later(0),
        {"epochs", epochs, {1, 1e6}, "passes over the training data"},
        {"schedule", schedule, {"step", "cosine", "one-cycle", "constant"}, "of the learning rate"},
        {"step_epochs", step_epochs, {1, 1e6}, "epochs between steps; step schedule only"},
        {"gamma", gamma, {1e-9, 1}, "factor of a step; step schedule only"},
    };
}

std::string TrainingRecipe::batch_text() const {
    return at_once(batch) == batch ? std::to_string(batch)
                                   : fmt::format("{}, {} at a time", batch, at_once(batch));
}

ArchitectureSpec ArchitectureSpec::from_json(const Json& json, const std::string& where) {
    return spec_from(json, Place(where));
}

ArchitectureSpec ArchitectureSpec::from_file(const std::string& path_or_name) {
    const TextFile file = read_shipped_or_file(path_or_name, "spec", shipped_specs());
    const Json json = parse_json(file.text, file.name);  // first: positions need valid JSON
    ArchitectureSpec spec = spec_from(json, Place(file.name, file.text));
    if (const auto problem = static_problem(Design(spec)))
        throw ConfigError(file.name + ": " + *problem);
    return spec;
}

Json ArchitectureSpec::to_json() const {
    ArchitectureSpec copy = *this;  // fields point at what they may also read into
    Json input = write_fields(copy.clip.fields());
    // Specs from before there was a choice have neither, and keep their text.
    const ClipShape published;
    if (clip.mean == published.mean) input.erase("mean");
    if (clip.deviation == published.deviation) input.erase("deviation");
    Json spec{{"family", family},
              {"architecture", std::move(copy.architecture)},
              {"clip", std::move(input)},
              {"training", write_fields(copy.training.fields())}};
    if (!quantisation.is_float()) spec["quantisation"] = edgeloop::to_json(quantisation);
    if (!low_rank.is_dense()) spec["low_rank"] = edgeloop::to_json(low_rank);
    if (hardware) spec["hardware"] = write_fields(copy.hardware->fields());
    return spec;
}

std::string ArchitectureSpec::canonical() const { return to_json().dump(); }

Digest ArchitectureSpec::identity() const { return digest(canonical()); }

Digest ArchitectureSpec::network_identity() const {
    Json network = to_json();
    network.erase("training");
    for (const char* key : {"mean", "deviation"}) network["clip"].erase(key);
    if (!quantisation.is_float()) network["quantisation"].erase("float_share");
    if (!low_rank.is_dense())
        for (const char* key : {"adaptation", "adapt_share", "strength"})
            network["low_rank"].erase(key);
    return digest(network.dump());
}

}  // namespace edgeloop
