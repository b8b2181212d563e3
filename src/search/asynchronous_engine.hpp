#pragma once

#include "search/engine_base.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace edgeloop {

/// Steady-state NSGA-II, and random sampling as the same loop without breeding: no barrier, a new
/// candidate whenever one is asked for.
///
/// With a ladder: asynchronous successive halving. A result that is among the best of all results
/// on its rung is promoted before a new candidate is made.
/// Source: Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020; here
/// with non-dominated rank and crowding in place of a single loss.
class AsynchronousEngine : public EngineBase {
  public:
    AsynchronousEngine(const SearchSpace& space, EngineSettings settings,
                       StaticMetrics static_metrics);

    std::optional<Candidate> ask() override;
    bool finished() const override;

  protected:
    /// What comes next when no repeat is due: a promotion or a new candidate.
    [[nodiscard]] virtual std::optional<Candidate> next();
    /// Makes a new candidate; its number is how many there were before.
    [[nodiscard]] virtual std::optional<Candidate> create(std::uint64_t number);
    /// Whether a result waits to be promoted that can be.
    [[nodiscard]] virtual bool promotes() const { return promotable_.has_value(); }
    /// Called when results, and so what may be promoted, have changed.
    virtual void find_promotable();

    [[nodiscard]] bool spent() const {
        return state_.exhausted || nothing_fits_ || state_.proposed >= settings_.evaluations;
    }
    [[nodiscard]] std::vector<std::vector<RungEntry>>& rungs() {
        return std::get<AsynchronousState>(state_.own).rungs;
    }
    [[nodiscard]] const std::vector<std::vector<RungEntry>>& rungs() const {
        return std::get<AsynchronousState>(state_.own).rungs;
    }
    /// A new candidate within the budget.
    [[nodiscard]] std::optional<Candidate> fresh();
    /// The entry's design again, one rung higher. @param why  for the journal.
    [[nodiscard]] Candidate promote(RungEntry& entry, std::string why);
    void absorb(const CompletedCandidate& completed) override;

    void restored() override;

  private:
    struct Promotable {
        std::size_t rung = 0, entry = 0;
        std::size_t place = 0, field = 0;
    };

    void absorb_repeat() override;
    [[nodiscard]] const std::vector<ArchiveMember>& rivals() const override {
        return state_.archive.members();
    }
    [[nodiscard]] bool breeds(std::uint64_t number) const;
    void after_result();
    void admit(Individual individual);
    void find_promotable_on(std::size_t rung);
    void find_best_acquisition(std::size_t rung, std::size_t places);

    std::optional<Promotable> promotable_;
    bool nothing_fits_ = false;  ///< the budget is not good for a new candidate, as things stand
};

}  // namespace edgeloop
