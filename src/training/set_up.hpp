#pragma once

#include "phases.hpp"
#include "training_run.hpp"

#include <memory>

namespace edgeloop {

/// Opens the data unless that was done, sees to it that all ranks have the same, builds the network
/// and gives it the leader's weights. Collective. @throws EarlyEnd  on all ranks.
[[nodiscard]] std::unique_ptr<TrainingRun> set_up_training(const TrainingSettings& settings,
                                                           std::shared_ptr<const Dataset>& dataset,
                                                           const Candidate& candidate,
                                                           const Communicator& group,
                                                           PhaseGuard& guard);

}  // namespace edgeloop
