#pragma once

#include "edgeloop/architecture/design.hpp"
#include "edgeloop/space/search_space.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace edgeloop {

using CandidateId = std::uint64_t;

/// A design that is trained again with another seed, to find out how much of its result was luck:
/// each such training ("repeat", from 1) has an id of its own, which tells the design's.
constexpr CandidateId repeat_step = 1'000'000'000;  ///< more than there are designs in a run
[[nodiscard]] constexpr CandidateId repeat_id(CandidateId design, std::uint32_t repeat) {
    return repeat * repeat_step + design;
}
/// 0: the first training of a design.
[[nodiscard]] constexpr std::uint32_t repeat_of(CandidateId id) {
    return static_cast<std::uint32_t>(id / repeat_step);
}
[[nodiscard]] constexpr CandidateId design_of(CandidateId id) { return id % repeat_step; }

/// A design that is only measured, so that whether to train it is decided with its latency known,
/// has an id that follows from the design.
constexpr CandidateId first_scout = CandidateId(1) << 62;
[[nodiscard]] constexpr CandidateId scout_id(const Digest& design) {
    return first_scout | (design.low >> 2);
}
[[nodiscard]] constexpr bool is_scout(CandidateId id) { return id >= first_scout; }

/// Named results, e.g. "val_rmse" or "latency_ms". Units are part of the name.
using Metrics = std::map<std::string, double>;

/// What the text of a field is.
enum class Text {
    line,      ///< for people
    name,      ///< short
    document,  ///< JSON
};

/// One design on its way through training and measuring.
///
/// Records name their fields once, in fields(): `visit(name, field)`, for texts that are no line
/// with what they are. The formats (messages, journal, checkpoint, tables) are visitors.
struct Candidate {
    CandidateId id = 0;  ///< running number within a run, from 1; of a repeat: repeat_id()
    std::uint32_t generation = 0;
    std::uint32_t index = 0;  ///< within its generation
    Genome genome;
    DesignPtr design;        ///< null for analytic problems
    std::uint64_t seed = 0;  ///< of its initial weights and dropout
    int epochs = 0;          ///< training budget up to which to train (total, not additional)

    int rung = 0;             ///< step on the budget ladder, from 0
    int trained_epochs = 0;   ///< epochs already trained and saved under this id; go on from there
    bool keep_state = false;  ///< a later rung may go on: save weights and optimiser at the end
    Metrics known;     ///< what needs no evaluation or is known already, e.g. parameters, flops
    Metrics previous;  ///< on a higher rung: the metrics of the rung before
    /// Designs that it was bred from by crossover and mutation; empty: sampled, scanned or given.
    std::vector<CandidateId> parents = {};

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        visit("id", self.id);
        visit("generation", self.generation);
        visit("index", self.index);
        visit("genes", self.genome.genes);
        visit("spec", self.design);
        visit("seed", self.seed);
        visit("epochs", self.epochs);
        visit("rung", self.rung);
        visit("trained_epochs", self.trained_epochs);
        visit("keep_state", self.keep_state);
        visit("known", self.known);
        visit("previous", self.previous);
        visit("parents", self.parents);
    }
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

/// What an epoch of training came to.
struct EpochRecord {
    int epoch = 0;             ///< counted from 1
    double learning_rate = 0;  ///< of its last step
    Metrics metrics = {};      ///< train_loss; and those of validation, where it came after it
    double averaged_rmse = 0;  ///< val_rmse with the averaged weights; 0: there is no average

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        visit("epoch", self.epoch);
        visit("learning_rate", self.learning_rate);
        visit("metrics", self.metrics);
        visit("averaged_rmse", self.averaged_rmse);
    }
};

/// The result of one part.
struct Outcome {
    CandidateId id = 0;
    Status status = Status::completed;
    Metrics metrics = {};
    std::string reason = {};  ///< one line; empty when completed
    double seconds = 0;       ///< what it cost, wall clock
    std::string device = {};  ///< that measured; empty: none, or not known
    std::string record = {};  ///< JSON object: conditions of the measurement (clocks …); or empty
    std::vector<int> ranks = {};          ///< that trained it; empty: not known
    std::vector<EpochRecord> curve = {};  ///< epochs of this training, those before a stop included

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        visit("id", self.id);
        visit("status", self.status);
        visit("metrics", self.metrics);
        visit("reason", self.reason);
        visit("seconds", self.seconds);
        visit("device", self.device, Text::name);
        visit("record", self.record, Text::document);
    }
    /// What only a training has, and no message of the edge.
    template <class Self, class Visit>
    static void training_fields(Self& self, Visit&& visit) {
        visit("ranks", self.ranks);
        visit("curve", self.curve);
    }
};

/// What was measured of one design, by class of device. In a run that names no class the only one
/// has no name.
using Measured = std::map<std::string, Outcome>;

/// All parts of a candidate put together: what an engine is told.
struct CompletedCandidate {
    Candidate candidate;
    Status status = Status::completed;
    Metrics metrics;     ///< everything known about it
    Metrics settled;     ///< the part that more training cannot change: static and measured
    std::string reason;  ///< one line; empty when completed
    double training_seconds = 0;  ///< cost, wall clock
    double measuring_seconds = 0;

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        visit("candidate", self.candidate);
        visit("status", self.status);
        visit("metrics", self.metrics);
        visit("settled", self.settled);
        visit("reason", self.reason);
        visit("training_seconds", self.training_seconds);
        visit("measuring_seconds", self.measuring_seconds);
    }
};

/// Whether a measurement can be believed: none of its metrics says that it cannot.
[[nodiscard]] bool measured_validly(const Metrics& metrics);

[[nodiscard]] const char* to_string(Status status);
/// @throws CorruptState for an unknown name.
[[nodiscard]] Status status_from(const std::string& name);

}  // namespace edgeloop
