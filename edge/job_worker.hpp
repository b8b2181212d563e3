#pragma once

#include "job_channel.hpp"
#include "runtime.hpp"
#include "sandbox.hpp"

#include "edgeloop/link/measurement.hpp"

#include <functional>
#include <string>
#include <vector>

namespace edgeloop {

/// What the process of a job does it with.
struct WorkerOptions {
    std::vector<int> cores;       ///< pinned to these; empty: not pinned
    double memory_limit_mib = 0;  ///< for what the network allocates; 0: none
    SandboxSettings sandbox;
    JobBounds bounds;
    bool looks = false;  ///< whether it looks at its core between runs (CoreWitness)
};

/// Does what commands say until the channel is closed; what cannot be done is an answer.
/// @param obey  does one, and adds to its answer.
void answer_commands(const JobSide& side,
                     const std::function<void(const Json& command, Json& answer)>& obey);

/// Lets this process allocate so much more than it has; 0: no limit.
void limit_memory(double mib, bool gpu);

/// The body of a job's process: confines itself, then does what it is told until its channel is
/// closed. It is the one place where networks run, and it answers for no time: it only marks what
/// it does, and whoever measures sees when.
///
/// | command | answers, with "number" of the command | marks |
/// | --- | --- | --- |
/// | enter | "sandbox": what holds it | |
/// | calibrate, "marks", "spin_us" | | begun, spun, again and again |
/// | rehearse, "marks" | | begun, looked, then, if the spec is of a network that sees clips, begun,
///   prepared, again and again: what these take without a network |
/// | build | | |
/// | batch, "size" | "clips": whether runs are prepared | |
/// | run, "marks", "seconds" | | begun, then blocks of runs of a millisecond at least: (prepared,)
///   done, …, looked |
/// | answer, "first" | "values": how many a batch of test vectors was answered with | |
/// | values, "from", "count" | "hex": the bits of so many of those, in eight digits each | |
/// | facts | "facts" | |
/// | attempt, "which" | "result": how what the sandbox refuses was refused; empty: it was not | |
///
/// "failed" in an answer is why something could not be done, "network": it is to blame.
/// Nothing of the job's own is read or run before "build", and of the spec before only its clip.
void work_on_job(const JobSide& side, const std::vector<std::string>& namespaces,
                 const MeasurementJob& job, const MeasurementSettings& settings,
                 const RuntimeFactory& factory, const RuntimePreparation& prepare,
                 const WorkerOptions& options);

}  // namespace edgeloop
