#pragma once

#include "edgeloop/evaluation/goals.hpp"
#include "edgeloop/search/archive.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace edgeloop {

/// What came of one repeat of a design.
struct Draw {
    CandidateId id = 0;  ///< of the repeat
    Metrics metrics;     ///< that training delivers; empty: it did not complete
    std::string reason;  ///< why it did not
    double seconds = 0;  ///< of training

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        visit("id", self.id);
        visit("metrics", self.metrics);
        visit("reason", self.reason);
        visit("seconds", self.seconds);
    }
};

/// What the repeats of a design say about it together. Final.
struct Confirmed {
    std::uint64_t count = 0;  ///< repeats that completed
    Metrics mean;             ///< over these, of all that training delivers
    Metrics deviation;        ///< standard deviation of each objective that training delivers
    CandidateId weights = 0;  ///< the first of these repeats
    double seconds = 0;       ///< of training, over all repeats
    std::string problem;      ///< why it is no member of the front whatever its mean; or empty
    bool infeasible = false;  ///< the mean breaks a constraint: that is the problem

    template <class Self, class Visit>
    static void fields(Self& self, Visit&& visit) {
        visit("count", self.count);
        visit("mean", self.mean);
        visit("deviation", self.deviation);
        visit("weights", self.weights);
        visit("seconds", self.seconds);
        visit("problem", self.problem);
        visit("infeasible", self.infeasible);
    }
};

/// What an engine knows about repeats; all empty when it makes none.
struct ConfirmationState {
    std::deque<Candidate> queue;                     ///< repeats that were not asked for yet
    std::map<CandidateId, std::vector<Draw>> draws;  ///< told so far, of designs under way
    std::map<CandidateId, Confirmed> results;        ///< of all designs whose repeats are done
    /// First results with the full budget that may still be members of the front, with those
    /// objectives by which they compete now.
    std::vector<ArchiveMember> contenders;
    std::uint64_t asked = 0;  ///< repeats so far, with those in the queue
    std::uint64_t told = 0;
};

/// The scatter of trainings that differ in their seed alone, as all confirmed designs together show
/// it.
///
/// It is taken to be proportional to the value: a variance relative to the mean's square, pooled
/// over designs by their degrees of freedom. A design's own variance counts beside it, against a
/// weight of 4 degrees for the pooled one: three draws alone tell little. Source: moderated
/// variances as in Smyth, Stat. Appl. Genet. Mol. Biol. 3(1), 2004, with a fixed prior weight.
class Noise {
  public:
    explicit Noise(const std::map<CandidateId, Confirmed>& results);

    /// Of a mean of `own.count` draws. @return 0 for what training does not deliver.
    [[nodiscard]] double standard_error(const std::string& objective, const Confirmed& own) const;
    /// Of a single draw with this value. 0 before any design was confirmed.
    [[nodiscard]] double deviation(const std::string& objective, double value) const;

  private:
    Metrics relative_variance_;  ///< pooled, of each objective
};

/// Decides which results need to be confirmed by repeats, and what follows from these.
///
/// The front consists of the contenders that no other dominates, by the mean of its repeats where a
/// design is confirmed and by its first result where not. The first result of a design is not in
/// its mean: it was looked at because it was good, so luck has a part in it. Results compete by
/// objectives, and a design that is confirmed never changes again; so what is probably worse than a
/// confirmed design is dropped for good.
class Confirmation {
  public:
    /// @param goals    must outlive this.
    /// @param repeats  of each design that would be a member of the front; 0: results are believed.
    Confirmation(const Goals& goals, std::size_t repeats) : goals_(goals), repeats_(repeats) {}

    [[nodiscard]] bool on() const { return repeats_ > 0; }
    [[nodiscard]] std::size_t repeats() const { return repeats_; }

    /// Adds a first result with the full budget, unless it is probably worse than a confirmed one.
    /// Complexity: O(M N) for M objectives and N contenders.
    void add(const CompletedCandidate& completed, ConfirmationState& state) const;
    /// Takes a repeat's result in; it counts from settle() on.
    void take(const CompletedCandidate& repeat, ConfirmationState& state) const;
    /// Confirms the designs whose repeats were all told, or notes why that cannot be, and drops
    /// contenders. A design of which fewer than two repeats completed, or whose mean breaks a
    /// constraint, is no contender any more. Does not depend on the order of take().
    /// @return these designs, ascending.
    std::vector<CandidateId> settle(ConfirmationState& state) const;

    /// Members of the front as the contenders stand.
    [[nodiscard]] std::vector<ArchiveMember> front(const ConfirmationState& state) const;
    /// The same of those contenders alone that need no repeats (any more).
    [[nodiscard]] std::vector<ArchiveMember> confirmed_front(const ConfirmationState& state) const;
    /// Of these members those that have to be confirmed and whose repeats were not asked for;
    /// ascending by id.
    [[nodiscard]] std::vector<ArchiveMember> unconfirmed(const std::vector<ArchiveMember>& members,
                                                         const ConfirmationState& state) const;
    /// Whether A is confirmed and B is worse in every respect: in what training does not deliver
    /// not better, and in what it does by one standard error of the difference at least (a
    /// one-sided probability of 84 %).
    [[nodiscard]] bool probably_worse(const ArchiveMember& b, const ArchiveMember& a,
                                      const ConfirmationState& state, const Noise& noise) const;
    /// Whether it needs no repeats (any more): they are done, or training delivers no objective.
    [[nodiscard]] bool is_settled(const ArchiveMember& member,
                                  const ConfirmationState& state) const;

  private:
    void drop_contenders(ConfirmationState& state) const;
    [[nodiscard]] Confirmed summary(const CompletedCandidate& first,
                                    const std::vector<Draw>& draws) const;

    const Goals& goals_;
    std::size_t repeats_;
};

/// Repeats whose weights a run that keeps weights still needs.
[[nodiscard]] std::vector<CandidateId> trainings_to_keep(const ConfirmationState& state);

/// Names of the objectives that training delivers: not settled before.
[[nodiscard]] std::vector<std::string> trained_objectives(const Goals& goals,
                                                          const CompletedCandidate& completed);

/// A first result as it is reported when its design is confirmed: the means in place of what
/// training delivered; of each objective of training NAME_n, NAME_sd, NAME_se (count, standard
/// deviation, standard error of the mean) and first_NAME, the first result. The reason says why a
/// design is not confirmed. One without repeats stays as it is.
[[nodiscard]] CompletedCandidate as_reported(CompletedCandidate first,
                                             const std::map<CandidateId, Confirmed>& results,
                                             const Noise& noise);

}  // namespace edgeloop
