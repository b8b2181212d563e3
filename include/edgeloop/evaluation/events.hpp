#pragma once

#include "edgeloop/evaluation/candidate.hpp"

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace edgeloop {

/// A part of an evaluation: the training, or what the devices of one class measure.
struct Part {
    enum Kind { training, measuring };

    Part(Kind part = training, std::string of_class = {})
        : kind(part), device_class(std::move(of_class)) {}

    friend bool operator==(const Part& a, const Part& b) {
        return a.kind == b.kind && a.device_class == b.device_class;
    }
    friend bool operator<(const Part& a, const Part& b) {
        return std::tie(a.kind, a.device_class) < std::tie(b.kind, b.device_class);
    }

    Kind kind;
    std::string device_class;  ///< that measures; empty in a run that names none
};

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
    Part part;
    Outcome outcome;

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        Outcome::fields(self.outcome, visit);
        visit("class", self.part.device_class, Text::name);
    }
};
struct Told {
    CompletedCandidate completed;
};
/// A design that is no candidate (yet) was measured: see Engine::scout().
struct Scouted {
    Genome genome;
    Outcome measured;
    std::string device_class = {};          ///< as of a Part
    std::vector<CandidateId> parents = {};  ///< as of a candidate

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        visit("genes", self.genome.genes);
        visit("parents", self.parents);
        Outcome::fields(self.measured, visit);
        visit("class", self.device_class, Text::name);
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
    std::map<Part, Outcome> parts;  ///< those that are there
    int cut_off = 0;  ///< trainings begun since the last that ended; a stop in order does not count

    /// Null: it is not there.
    [[nodiscard]] const Outcome* part(const Part& which) const {
        const auto found = parts.find(which);
        return found == parts.end() ? nullptr : &found->second;
    }
};

}  // namespace edgeloop
