#pragma once

#include "edgeloop/evaluation/candidate.hpp"

#include <optional>
#include <string>
#include <variant>

namespace edgeloop {

enum class Part { training, measuring };

/// The events of a run, in the order in which they happened to the engine. Replaying them through
/// an engine gives the engine's state back.
struct Proposed {
    Candidate candidate;  ///< with rung > 0: promoted, the id is known already
};
/// A training was handed out. Without a PartDone after it, it was cut off.
struct TrainingStarted {
    CandidateId id = 0;

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        visit("id", self.id);
    }
};
struct PartDone {
    Part part = Part::training;
    Outcome outcome;
};
struct Told {
    CompletedCandidate completed;
};
/// A design that is no candidate (yet) was measured: see Engine::scout().
struct Scouted {
    Genome genome;
    Outcome measured;

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        visit("genes", self.genome.genes);
        Outcome::fields(self.measured, visit);
    }
};
/// Anything worth knowing that does not change the state: a retry, a decision, a restart.
struct Note {
    std::string what;    ///< e.g. "retried", "promoted", "resumed"
    CandidateId id = 0;  ///< 0: none in particular
    std::string reason;

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        visit("what", self.what);
        visit("id", self.id);
        visit("reason", self.reason);
    }
};
using Event = std::variant<Proposed, TrainingStarted, PartDone, Told, Note, Scouted>;

/// A candidate between ask() and tell().
struct InFlight {
    Candidate candidate;
    std::optional<Outcome> training, measuring;
    int cut_off = 0;  ///< trainings begun since the last that ended; a stop in order does not count
};

}  // namespace edgeloop
