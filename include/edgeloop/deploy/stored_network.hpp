#pragma once

#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/deploy/trained_model.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// A network on disk, and how windows are cut for it.
struct StoredNetwork {
    std::string name;  ///< for people: its folder or files
    ArchitectureSpec spec;
    std::string weights_file;
    std::vector<Target> targets;  ///< of each output; empty: not known
    SampleRules rules;            ///< those of its training, or of a search where it says nothing
    bool rules_known = false;
    std::string data_digest;  ///< of the shards that it was trained on; empty: not known

    [[nodiscard]] WindowRule window() const { return rules.window(spec.clip); }
};

[[nodiscard]] StoredNetwork stored_network(const TrainedModel& model);
/// A folder of edgeloop-model train, or any with spec.json and weights.safetensors, e.g.
/// models/<id> of a run directory.
/// @throws ConfigError  as TrainedModel::load(); the folder is neither.
[[nodiscard]] StoredNetwork stored_network(const std::string& folder);
/// @throws ConfigError  as ArchitectureSpec::from_file(); no such weights.
[[nodiscard]] StoredNetwork stored_network(const std::string& spec, const std::string& weights);

/// Refuses data that the network cannot have learnt from: shards that are cropped elsewhere, or
/// with other targets. @throws ConfigError
void require_same_kind(const StoredNetwork& network, const Catalogue& catalogue,
                       const std::string& shards);

}  // namespace edgeloop
