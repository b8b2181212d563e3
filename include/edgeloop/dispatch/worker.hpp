#pragma once

#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/dispatch/groups.hpp"
#include "edgeloop/evaluation/cancel_token.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <functional>

namespace edgeloop {

/// Evaluates one candidate on a group of ranks; called on all of them with the same candidate. The
/// leader's (rank 0 of the group) outcome counts.
///
/// What it throws becomes the candidate's failure, or makes it lost when it is an IoError, a
/// CommError or the operating system's; the group goes on with the next. A function that
/// uses collectives must see to it that no rank leaves while others wait inside one.
using WorkerFunction =
    std::function<Outcome(const Candidate&, const Communicator& group, const CancelToken&)>;

/// Life of a rank other than 0: evaluates candidates of its group until the coordinator says stop.
/// Ranks of no group wait for the same. REQUIRES: the same plan on all ranks; rank 0 has or will
/// make a GroupEvaluator. @throws CommError.
void serve_candidates(const Communicator& world, const GroupPlan& plan, const WorkerFunction& run);

}  // namespace edgeloop
