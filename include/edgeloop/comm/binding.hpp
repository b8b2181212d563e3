#pragma once

#include "edgeloop/comm/communicator.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// Where a rank may run.
struct RankBinding {
    std::string host;
    std::vector<int> cpus;  ///< it may run on, ascending
    int numa = 0;           ///< domain of the first of them
};

/// Of this process, from its affinity mask.
[[nodiscard]] RankBinding this_binding();

/// Of all ranks, on all ranks. Shape (size). Collective.
[[nodiscard]] std::vector<RankBinding> gather_bindings(const Communicator& world);

/// One line a rank for the log: "rank 3: node07, NUMA 1, 4 threads on CPUs 12-15".
[[nodiscard]] std::vector<std::string> binding_report(const std::vector<RankBinding>& bindings,
                                                      int threads);

/// Whether ranks have to share cores. Ranks that only coordinate do not count.
///
/// @param first_busy_rank  1 when rank 0 only coordinates, else 0.
/// @throws ConfigError  ranks on a node want more threads than there are CPUs for them, or a rank
///                      more than its mask holds; says how many fit.
void check_oversubscription(const std::vector<RankBinding>& bindings, int threads,
                            int first_busy_rank);

}  // namespace edgeloop
