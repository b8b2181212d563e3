#pragma once

#include "edgeloop/search/coordinator.hpp"

#include <map>
#include <optional>

namespace edgeloop {

/// A candidate in flight, with what only this process knows about it.
struct Active {
    InFlight kept;
    bool training = false, measuring = false;  ///< submitted and not back yet
    bool begun = false;                        ///< its training, which it may have to wait for
    bool cancelled = false;                    ///< its training was asked to stop
    int lost = 0;                              ///< how often a part of it was lost
    int measured_again = 0;                    ///< because it was not valid
    double measured_seconds = 0;               ///< of the measurements that were not the last
    std::optional<Verdict> verdict;            ///< why the rest of it is pointless

    [[nodiscard]] std::optional<Outcome>& part(Part which) {
        return which == Part::training ? kept.training : kept.measuring;
    }
};
using ActiveCandidates = std::map<CandidateId, Active>;

/// How the parts of a candidate make a whole. The order in which they arrive makes no difference: a
/// verdict on what was measured outweighs whatever the training said.
class PartRules {
  public:
    PartRules(const Engine& engine, const SearchOptions& options, bool measures)
        : engine_(engine), options_(options), measures_(measures) {}

    /// Whether this part of it is not there for good: never came, or was lost. On a higher rung,
    /// and of a repeat, the latency is among what is known already.
    [[nodiscard]] bool needs(const Active& active, Part part) const;
    /// The outcome of a training, failed if it delivered what no training does.
    [[nodiscard]] Outcome checked(Outcome trained) const;
    /// What a measurement that completed should have delivered, or nothing.
    [[nodiscard]] std::optional<std::string> incomplete(const Outcome& measured) const;
    /// What is not valid or not complete this run measures itself.
    [[nodiscard]] bool usable(const Outcome& measured) const {
        return measured_validly(measured.metrics) && !incomplete(measured);
    }
    /// Why the rest of the training can be spared, once what is measured is known; or nothing.
    [[nodiscard]] std::optional<Verdict> early_end(const Active& active) const;
    /// The end of a candidate that needs nothing more, all but the candidate itself; or nothing.
    [[nodiscard]] std::optional<CompletedCandidate> whole(const Active& active) const;

  private:
    void judge(const Outcome& training, int rung, CompletedCandidate& completed) const;

    const Engine& engine_;
    const SearchOptions& options_;
    bool measures_;
};

}  // namespace edgeloop
