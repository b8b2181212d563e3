#pragma once

#include "search/asynchronous_engine.hpp"

#include "edgeloop/surrogate/design_model.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace edgeloop {

/// Proposes and promotes what promises most: of many designs, new ones and those that wait on a
/// rung, the one with the largest expected hypervolume improvement after the full budget is
/// trained one rung further.
///
/// The model is asked anew for each candidate, with those under way taken for done. As long as it
/// predicts no better than chance, steady-state NSGA-II decides.
class ModelEngine : public AsynchronousEngine {
  public:
    using AsynchronousEngine::AsynchronousEngine;

    [[nodiscard]] std::optional<Candidate> ask_again(const Candidate& journaled) override;
    [[nodiscard]] std::optional<Candidate> scout() override;
    void inform(const Scouted& scouted) override;
    void forget_scouted() override;
    [[nodiscard]] Measured measured_before(const Genome& genome) const override;

  private:
    /// A design that may be trained next.
    struct Option {
        Genome genome;
        Metrics known;                     ///< that needs no prediction
        RungEntry* entry = nullptr;        ///< waits to be promoted; null: a new design
        std::vector<Belief> beliefs = {};  ///< of the learnt metrics
        double value = 0;                  ///< acquisition
        std::vector<CandidateId> parents = {};
    };

    std::optional<Candidate> next() override;
    /// A promotion or a new candidate.
    [[nodiscard]] std::optional<Candidate> next_design();
    std::optional<Candidate> create(std::uint64_t number) override;
    void absorb(const CompletedCandidate& completed) override;
    void find_promotable() override {}  // looked for when asked
    void restored() override;
    /// Not before as many designs as a population has were done after it, or nothing else is left
    /// to be done: early members of the front seldom stay.
    [[nodiscard]] bool may_confirm(const Candidate& member) const override;
    /// Queues all that is to be confirmed.
    [[nodiscard]] std::optional<Candidate> first_repeat();
    [[nodiscard]] bool promotes() const override;
    [[nodiscard]] std::uint64_t results_for_reference() const override { return first_designs(); }

    /// Designs that are sampled before the model is asked.
    [[nodiscard]] std::uint64_t first_designs() const;
    /// How many of a rung are promoted in all; no_limit when only the budget says.
    [[nodiscard]] std::uint64_t places_above(std::size_t rung) const;
    [[nodiscard]] bool may_promote_from(std::size_t rung) const;
    [[nodiscard]] bool may_promote(const RungEntry& entry) const;
    /// Whether fewer than 1 in reduction² were promoted.
    [[nodiscard]] bool owes_promotion(std::size_t rung) const;

    /// What comes next while the model knows nothing.
    [[nodiscard]] std::optional<Candidate> next_by_rank();
    /// @param within_places  of a rung only as many as the reduction allows so far.
    [[nodiscard]] RungEntry* best_by_rank(bool within_places);
    [[nodiscard]] std::optional<Candidate> next_by_model(const DesignModel& model);

    void check_expected(const CompletedCandidate& completed);
    void expect(const Candidate& candidate, const Option& option, const DesignModel& model);
    [[nodiscard]] std::vector<std::string> learnt_metrics() const;
    /// A model of everything so far; nothing while it knows too little.
    [[nodiscard]] std::unique_ptr<DesignModel> informed_model() const;
    [[nodiscard]] std::vector<ModelResult> results_under_way() const;
    /// With what was measured before it was proposed.
    [[nodiscard]] Metrics known_of(const Candidate& candidate) const;

    [[nodiscard]] std::vector<Option> options(RandomStream& random);
    /// New designs: those that were scouted, offspring and samples.
    void add_new_designs(std::vector<Option>& options, RandomStream& random) const;
    void add_scouted(std::vector<Option>& options, Genome genome, const Measured& measured) const;
    /// A child of two of the front and the population, which must not be empty.
    [[nodiscard]] Offspring child_of(const std::vector<Offspring>& parents,
                                     RandomStream& random) const;
    [[nodiscard]] std::vector<Offspring> possible_parents() const;
    void evaluate(std::vector<Option>& options, const DesignModel& model) const;
    [[nodiscard]] Points believed_front(const DesignModel& model) const;
    [[nodiscard]] double chance_to_keep_constraints(const Option& option,
                                                    const std::vector<std::string>& names) const;

    /// What is counted of a design and matters, without decoding where nothing does.
    [[nodiscard]] Metrics counted(const Genome& genome) const;

    std::optional<Offspring> chosen_;    ///< for create()
    bool nothing_else_ = false;          ///< for may_confirm()
    std::set<CandidateId> scouts_;       ///< designs that are being measured
    std::uint64_t nothing_scouted_ = 0;  ///< calls of tell() and inform() when none was found
    mutable std::optional<std::set<std::string>> counted_;  ///< names that static metrics have
};

/// What the devices of each class measured, by the names that metrics have then.
void add_measured(Metrics& known, const Measured& measured);

/// Whether each of these metrics is known or learnt: not of a design that cannot be built.
[[nodiscard]] bool all_foreseen(const std::vector<std::string>& wanted, const Metrics& known,
                                const std::vector<std::string>& learnt);

}  // namespace edgeloop
