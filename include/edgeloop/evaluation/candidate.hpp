#pragma once

#include "edgeloop/space/search_space.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace edgeloop {

using CandidateId = std::uint64_t;

/// Named results, e.g. "val_rmse" or "latency_ms". Units are part of the name.
using Metrics = std::map<std::string, double>;

/// One design on its way through training and measuring.
struct Candidate {
    CandidateId id = 0;  ///< running number within a run, from 1
    std::uint32_t generation = 0;
    std::uint32_t index = 0;  ///< within its generation
    Genome genome;
    std::string spec;        ///< canonical ArchitectureSpec as JSON; empty for analytic problems
    std::uint64_t seed = 0;  ///< of its initial weights and dropout
    int epochs = 0;          ///< training budget up to which to train (total, not additional)

    int rung = 0;             ///< step on the budget ladder, from 0
    int trained_epochs = 0;   ///< epochs already trained and saved under this id; go on from there
    bool keep_state = false;  ///< a later rung may go on: save weights and optimiser at the end
    Metrics known;     ///< what needs no evaluation or is known already, e.g. parameters, flops
    Metrics previous;  ///< on a higher rung: the metrics of the rung before
};

/// How a part (training or measuring) or a whole candidate ended. See the candidate's life in
/// src/README.md.
enum class Status {
    completed,
    infeasible,  ///< a constraint or a static check says no
    failed,      ///< the candidate's fault: NaN, out of memory, crash on the device
    lost,        ///< ours: a rank or device died; goes back to the queue
    cancelled,   ///< stopped because it could no longer matter
    timed_out,   ///< it ran past its limit, or the ranks that trained it stalled
};

/// The result of one part.
struct Outcome {
    CandidateId id = 0;
    Status status = Status::completed;
    Metrics metrics;
    std::string reason;  ///< one line; empty when completed
    double seconds = 0;  ///< what it cost, wall clock
    std::string device;  ///< that measured; empty: none, or not known
    std::string record;  ///< JSON object: conditions of the measurement (clocks …); or empty
};

/// Both parts of a candidate put together: what an engine is told.
struct CompletedCandidate {
    Candidate candidate;
    Status status = Status::completed;
    Metrics metrics;     ///< everything known about it
    Metrics settled;     ///< the part that more training cannot change: static and measured
    std::string reason;  ///< one line; empty when completed
    double training_seconds = 0;  ///< cost, wall clock
    double measuring_seconds = 0;
};

/// Whether a measurement can be believed: none of its metrics says that it cannot.
[[nodiscard]] bool measured_validly(const Metrics& metrics);

[[nodiscard]] const char* to_string(Status status);
/// @throws CorruptState for an unknown name.
[[nodiscard]] Status status_from(const std::string& name);

}  // namespace edgeloop
