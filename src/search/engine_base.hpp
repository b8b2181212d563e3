#pragma once

#include "search/proposer.hpp"
#include "search/surrogate.hpp"

#include "edgeloop/search/engine.hpp"

#include <vector>

namespace edgeloop {

/// What all engines share: bookkeeping of pending candidates, archive, reference point, verdicts.
class EngineBase : public Engine {
  public:
    EngineBase(const SearchSpace& space, EngineSettings settings, StaticMetrics static_metrics);

    void tell(const CompletedCandidate& completed) final;
    [[nodiscard]] std::vector<Decision> take_decisions() final;
    [[nodiscard]] std::optional<Verdict> verdict(const Candidate& candidate,
                                                 const Metrics& known) const final;
    [[nodiscard]] const EngineState& state() const final { return state_; }
    void restore(EngineState state) final;
    [[nodiscard]] const EngineSettings& settings() const final { return settings_; }
    [[nodiscard]] const SearchSpace& space() const final { return space_; }

  protected:
    /// Learns from one first result; it is no longer pending.
    virtual void absorb(const CompletedCandidate& completed) = 0;
    /// A repeat was told: confirms what can be confirmed by now.
    virtual void absorb_repeat() = 0;
    /// Rebuilds whatever is derived from the state.
    virtual void restored() = 0;
    /// Members that a candidate has to hold its own against, for verdicts.
    [[nodiscard]] virtual const std::vector<ArchiveMember>& rivals() const = 0;

    /// Random numbers of a purpose, for the candidate with this running number.
    [[nodiscard]] RandomStream stream(const char* purpose, std::uint32_t generation,
                                      std::uint64_t individual) const;
    /// Candidates of the first population: larger than the others when more designs are given.
    [[nodiscard]] std::uint64_t first_population() const {
        return std::max<std::uint64_t>(settings_.population, settings_.first.size());
    }
    /// Whether the budget is good for so many epochs more than those that were promised.
    [[nodiscard]] bool affords(double epochs) const;
    /// Takes a candidate back that was proposed last and overstepped the budget.
    /// @param scanned  EngineState::scanned before it was proposed.
    void withdraw(const Candidate& candidate, std::uint64_t scanned);
    /// Epochs from a rung to the next.
    [[nodiscard]] double step_above(int rung) const;
    /// A candidate of the first population: a given design or a sample.
    [[nodiscard]] std::optional<Candidate> initial_candidate(std::uint64_t number);
    [[nodiscard]] int last_rung() const;
    /// The candidate again, one rung higher.
    [[nodiscard]] Candidate promoted(const CompletedCandidate& completed) const;
    /// The candidate as a competitor, or nothing when its outcome says nothing about its merit.
    [[nodiscard]] std::optional<Individual> as_individual(
        const CompletedCandidate& completed) const;
    /// Why further training cannot bring this result to the front, or nothing: even if it improved
    /// from here to the full budget as much as the best improver of each rung, it would be
    /// dominated.
    [[nodiscard]] std::optional<std::string> outclassed(const CompletedCandidate& completed) const;
    /// Whether a surrogate chooses: it is asked for, and there is a reference point to measure by.
    [[nodiscard]] bool uses_surrogate() const { return models() && !state_.reference.empty(); }
    /// Adds a result to the model, if one is asked for.
    void learn(const CompletedCandidate& completed);
    /// A child of two winners of tournaments; with a surrogate, the best of several.
    [[nodiscard]] Offspring bred(RandomStream& random, const Points& rivals) const;
    /// With the full budget; nothing when the surrogate cannot say.
    [[nodiscard]] std::optional<Prediction> predict(const Candidate& candidate) const;
    [[nodiscard]] std::optional<Prediction> predict(const CompletedCandidate& completed) const;
    /// acquisition(), but below all others when a constraint is expected to be broken.
    [[nodiscard]] double acquisition_of(const Prediction& prediction, const Points& rivals) const;
    /// The front, and the bounds of candidates on this rung or a higher one that are not told yet.
    [[nodiscard]] Points competition(int rung) const;
    /// "place 3 of 12 by rank and crowding", or "by acquisition".
    [[nodiscard]] std::string place_text(std::size_t place, std::size_t field) const;
    void decide(const CompletedCandidate& completed, bool promoted, std::string reason);
    /// Fixes the reference point once enough has been told.
    void fix_reference();
    [[nodiscard]] virtual std::uint64_t results_for_reference() const {
        return settings_.population;
    }
    /// Calls of tell() without repeats.
    [[nodiscard]] std::uint64_t told_first() const {
        return state_.told - state_.confirmation.told;
    }
    /// Confirms designs whose repeats were all told: their means take their place in front and
    /// population.
    void settle_repeats();
    /// Queues repeats of members of the front that are not confirmed and may_confirm(), as long as
    /// there are no more repeats than designs done: so there are some left for those found late.
    void queue_repeats();
    /// Whether it is time to confirm a member of the front.
    [[nodiscard]] virtual bool may_confirm(const Candidate&) const { return true; }
    /// The next repeat in the queue.
    [[nodiscard]] std::optional<Candidate> next_repeat();

    const SearchSpace& space_;
    EngineSettings settings_;
    Proposer proposer_;
    EngineState state_;
    Surrogate surrogate_;

  private:
    [[nodiscard]] Candidate repeat(const CompletedCandidate& first, std::uint32_t number) const;
    void note_confirmed(CandidateId id);
    /// Gives a competitor the mean of its repeats, if there is one.
    void compete_by_mean(Individual& individual) const;
    /// Whether a regression chooses among offspring.
    [[nodiscard]] bool models() const { return settings_.surrogate.children > 1; }
    void note_mean(CandidateId id, const Confirmed& result);
    void note_extent(const std::vector<double>& values);
    /// Which of the rivals dominates these objectives, in words; or nothing.
    [[nodiscard]] std::optional<std::string> dominated(const Point& objectives,
                                                       const std::string& even) const;
    [[nodiscard]] std::optional<std::string> dominated_at_bound(
        const std::optional<Prediction>& predicted) const;
    void note_gain(const CompletedCandidate& completed);

    const Confirmation confirmation_;
    std::vector<Decision> decisions_;
};

/// One where both are the same.
[[nodiscard]] inline std::vector<CandidateId> both_parents(CandidateId mother, CandidateId father) {
    return mother == father ? std::vector{mother} : std::vector{mother, father};
}

[[nodiscard]] std::unique_ptr<Engine> make_generational(const SearchSpace& space,
                                                        EngineSettings settings,
                                                        StaticMetrics static_metrics);
[[nodiscard]] std::unique_ptr<Engine> make_asynchronous(const SearchSpace& space,
                                                        EngineSettings settings,
                                                        StaticMetrics static_metrics);
[[nodiscard]] std::unique_ptr<Engine> make_model_based(const SearchSpace& space,
                                                       EngineSettings settings,
                                                       StaticMetrics static_metrics);

}  // namespace edgeloop
