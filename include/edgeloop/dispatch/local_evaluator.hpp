#pragma once

#include "edgeloop/dispatch/worker.hpp"
#include "edgeloop/evaluation/interfaces.hpp"

#include <memory>

namespace edgeloop {

/// Evaluates candidates one after the other in a thread of this process: the whole search without
/// mpirun. The function gets a communicator of one rank. Whoever destroys it cancels what is
/// running and waits for it.
///
/// @param candidate_limit_s  a candidate running longer is cancelled and has timed out; 0: none
/// @param paused_s  as in DispatchOptions.
/// @param one_at_a_time  takes the next candidate only when the last outcome was collected, however
///                       short they are: an engine without generations then gives the same result
///                       every time.
[[nodiscard]] std::unique_ptr<Evaluator> make_local_evaluator(WorkerFunction run,
                                                              double candidate_limit_s = 0,
                                                              std::function<double()> paused_s = {},
                                                              bool one_at_a_time = false);

}  // namespace edgeloop
