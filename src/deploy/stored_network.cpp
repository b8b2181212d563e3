#include "edgeloop/deploy/stored_network.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/regular_file.hpp"

#include <filesystem>

#include <fmt/format.h>

namespace edgeloop {

StoredNetwork stored_network(const TrainedModel& model) {
    StoredNetwork network;
    network.name = model.folder;
    network.spec = model.spec;
    network.weights_file = model.weights_file();
    network.targets = model.targets;
    network.rules = model.rules;
    network.rules_known = true;
    network.data_digest = model.dataset_digest;
    return network;
}

StoredNetwork stored_network(const std::string& folder) {
    if (holds_trained_model(folder)) return stored_network(TrainedModel::load(folder));
    const std::string spec = folder + "/spec.json", weights = folder + "/weights.safetensors";
    if (!std::filesystem::exists(spec) || !std::filesystem::exists(weights))
        throw ConfigError(fmt::format("'{}' holds no trained network", folder),
                          "there is neither a training.json nor spec.json and weights.safetensors",
                          "name a folder of edgeloop-model train, or models/ID of a search with "
                          "--save-weights");
    StoredNetwork network = stored_network(spec, weights);
    network.name = folder;
    return network;
}

StoredNetwork stored_network(const std::string& spec, const std::string& weights) {
    StoredNetwork network;
    network.spec = ArchitectureSpec::from_file(spec);
    require_regular_file(weights);
    network.name = weights;
    network.weights_file = weights;
    return network;
}

void require_same_kind(const StoredNetwork& network, const Catalogue& catalogue,
                       const std::string& shards) {
    if (!network.targets.empty() && network.targets != catalogue.targets)
        throw ConfigError(
            fmt::format("the shards '{}' are of {}", shards, to_text(catalogue.targets)),
            fmt::format("the network '{}' predicts {}, or in other scales", network.name,
                        to_text(network.targets)),
            "use shards of the recordings that it was trained for");
    if (network.rules_known && network.rules.crop != catalogue.crop)
        throw ConfigError(fmt::format("the shards '{}' are cropped as --crop {}", shards,
                                      name_of(catalogue.crop)),
                          fmt::format("the network '{}' was trained with --crop {}", network.name,
                                      name_of(network.rules.crop)),
                          "make shards with that crop: edgeloop-data shard --crop");
}

}  // namespace edgeloop
