#pragma once

#include "apps/search_config.hpp"

#include "edgeloop/comm/binding.hpp"
#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/dispatch/worker.hpp"
#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop::apps {

/// Who measures, by class of device: the owner of Probes.
using OwnProbes = std::map<std::string, std::unique_ptr<LatencyProbe>>;
[[nodiscard]] Probes in_use(const OwnProbes& probes);

/// Who measures according to `--edge`, which is not `none`.
/// @param agent     of `--edge local`, else nullptr.
/// @param measured  metrics that devices have to deliver.
[[nodiscard]] OwnProbes make_probes(const SearchConfig& config, const LocalAgent* agent,
                                    const ClassMetrics& measured);

/// Classes of which `--edge local` starts an agent each; none: one of this machine's own class.
[[nodiscard]] std::vector<std::string> local_classes(const SearchConfig& config);

/// Refuses goals that show each interruption of a run (latency_p90_ms ...) when `--edge local`
/// measures on cores that train: trainings that pause still look up, and what a device alone does
/// is not what would be measured.
/// @param measured  metrics that the goals want from measuring.
/// @throws ConfigError
void check_tails(const SearchConfig& config, const ClassMetrics& measured,
                 const std::vector<RankBinding>& bindings);

/// The file in which trainings and the agent of this machine take turns, for this rank; empty: none
/// is needed. Collective.
/// @param agent  on rank 0, with `--edge local`; else null.
[[nodiscard]] std::string turns_file(const SearchConfig& config, const LocalAgent* agent,
                                     const Communicator& world,
                                     const std::vector<RankBinding>& bindings);

/// What a worker does, but with a pause between two steps whenever something is measured.
[[nodiscard]] WorkerFunction with_pauses(WorkerFunction work, const std::string& turns_file);

/// Seconds so far in which trainings had to pause, as seen by who asks often; empty: there are
/// none.
[[nodiscard]] std::function<double()> pause_clock(const std::string& turns_file);

}  // namespace edgeloop::apps
