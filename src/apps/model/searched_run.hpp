#pragma once

#include "apps/search_config.hpp"

#include "edgeloop/data/dataset.hpp"
#include "edgeloop/deploy/selection.hpp"
#include "edgeloop/deploy/stored_network.hpp"

#include <string>

namespace edgeloop {

/// How the networks of a search were trained.
struct SearchedRun {
    apps::SearchConfig config;  ///< of its newest start
    int shortest_line = 0;      ///< see WindowRule
    std::string data_digest;    ///< of the shards; empty: not known
    std::string crop;           ///< of the shards; empty: not known
};

/// From the files of a run of any release.
/// @throws ConfigError  config.ini is missing or cannot be read; CorruptState  another file.
[[nodiscard]] SearchedRun searched_run(const std::string& run_dir);

/// A network that the search kept gets its windows and lines.
void take_rules(const SearchedRun& run, StoredNetwork& network);

/// Refuses shards with which the design would be another one: other targets, another crop. Warns of
/// other data.
/// @throws ConfigError
void require_same_kind(const SearchedRun& run, const Selection& member, const Dataset& dataset,
                       const std::string& shards);

}  // namespace edgeloop
