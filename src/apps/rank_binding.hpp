#pragma once

#include "edgeloop/comm/binding.hpp"

#include <vector>

namespace edgeloop::apps {

/// Says where ranks run, and refuses ranks that would have to share cores unless the user has said
/// that they may: to us or to mpirun. Nothing for a process that runs alone.
/// @param first_busy_rank  1 when rank 0 only coordinates, else 0.
/// @throws ConfigError  as check_oversubscription().
void report_binding(const std::vector<RankBinding>& bindings, int threads, int first_busy_rank);

}  // namespace edgeloop::apps
