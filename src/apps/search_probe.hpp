#pragma once

#include "apps/search_config.hpp"

#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <memory>
#include <string>
#include <vector>

namespace edgeloop::apps {

/// Who measures latencies according to `--edge`, which is not `none`.
/// @param agent     of `--edge local`, else nullptr.
/// @param measured  metrics that a device has to deliver.
[[nodiscard]] std::unique_ptr<LatencyProbe> make_probe(const SearchConfig& config,
                                                       const LocalAgent* agent,
                                                       const std::vector<std::string>& measured);

}  // namespace edgeloop::apps
