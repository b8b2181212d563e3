#pragma once

#include "edgeloop/search/engine.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace edgeloop {

/// A genome and the designs it was bred from; of a sample: none.
struct Offspring {
    Genome genome;
    std::vector<CandidateId> parents = {};
};

/// Turns genomes into candidates that were never proposed before and can be built.
///
/// A design that is known, or that a static rule forbids, is mutated again a few times, then
/// replaced by samples, and last, in a space small enough, by the next free design of a systematic
/// scan.
class Proposer {
  public:
    Proposer(const SearchSpace& space, const EngineSettings& settings, StaticMetrics metrics);

    /// A new candidate from an offspring; nothing when the space is exhausted (then
    /// state.exhausted is set). Its id is the next one; state.seen and state.proposed are updated.
    [[nodiscard]] std::optional<Candidate> propose(Offspring child, RandomStream& random,
                                                   EngineState& state) const;
    /// A design that the user gave: also one that breaks a limit on a static metric, which is
    /// then found infeasible, for all to see. One that is known already makes way as above.
    [[nodiscard]] std::optional<Candidate> given(const Genome& genome, RandomStream& random,
                                                 EngineState& state) const;
    /// The same from a fresh sample.
    [[nodiscard]] std::optional<Candidate> sample(RandomStream& random, EngineState& state) const;

    /// Whether the design is new, can be built, and no static rule forbids it.
    [[nodiscard]] bool usable(const Genome& genome, const EngineState& state) const;

    /// A new design as a candidate that is only measured, or nothing when it is known or cannot be
    /// built.
    [[nodiscard]] std::optional<Candidate> scout(const Genome& genome,
                                                 const EngineState& state) const;
    /// What is known of a design without evaluating it; nothing of one that cannot be built.
    [[nodiscard]] Metrics static_metrics(const Genome& genome) const;

  private:
    enum class Fitness { unusable, breaks_limit, usable };
    struct Trial {
        Fitness fitness = Fitness::unusable;
        Candidate candidate;
        Digest design;
    };

    [[nodiscard]] Trial examine(const Genome& genome, const EngineState& state) const;
    [[nodiscard]] std::optional<Trial> scan(EngineState& state) const;
    [[nodiscard]] Candidate issue(Trial trial, EngineState& state) const;

    const SearchSpace& space_;
    const EngineSettings& settings_;
    StaticMetrics static_metrics_;
    std::uint64_t combinations_ = 0;  ///< genomes to scan; 0: too many
};

}  // namespace edgeloop
