#pragma once

#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/evaluation/events.hpp"
#include "edgeloop/evaluation/goals.hpp"
#include "edgeloop/evolution/variation.hpp"
#include "edgeloop/search/archive.hpp"
#include "edgeloop/search/budget.hpp"
#include "edgeloop/search/confirmation.hpp"
#include "edgeloop/search/population.hpp"
#include "edgeloop/space/search_space.hpp"
#include "edgeloop/surrogate/design_model.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace edgeloop {

enum class EngineKind {
    generational,  ///< NSGA-II; the same result for any rank count and order of completion
    steady_state,  ///< one result in, one candidate out; no barrier
    random,        ///< uniform sampling: the honest baseline
    model_based,   ///< a model of all results chooses what is trained next; no barrier
};

/// When a candidate's known metrics (latency, parameters) make training it pointless.
struct PruningSettings {
    bool infeasible = true;  ///< a constraint on a known metric is broken
    /// Even with the best value seen of every metric still unknown it would be dominated; and, with
    /// a ladder, a result that would be dominated even after the largest improvement seen stays on
    /// its rung. With a surrogate: it would be dominated even at its confidence bound.
    bool dominated = false;
    /// By how much more, as a fraction, a known metric must exceed that of a dominating rival: room
    /// for designs that are slower than all rivals because they are better than the best seen.
    double optimism = 0.3;
};

/// Training budgets of successive halving: all candidates start at the first, the best are
/// promoted.
struct LadderSettings {
    std::vector<int> epochs;  ///< ascending totals; empty: one budget for all
    double reduction = 3;     ///< reduction factor: 1 / reduction of a rung is promoted to the next
};

/// A model of the results so far (src/search/surrogate.hpp) that spends training where it pays.
/// Its acquisition chooses among offspring and who is promoted, and, with
/// PruningSettings::dominated, its confidence bound who is pruned. In effect once there is a
/// reference point.
struct SurrogateSettings {
    /// Offspring made for each candidate; the one of highest acquisition is proposed. 1: no model.
    std::size_t children = 1;
    /// Of the confidence bound, in standard deviations below the mean: more explores more.
    double deviations = 2;
};

/// How a reference point of the hypervolume is chosen that nobody gave, once a population's worth
/// of results is known (model-based: as many as are sampled first).
enum class ReferenceRule {
    extent,  ///< 10 % of each objective's extent beyond the worst result
    /// Nearly the same for all runs of a task: an objective's limit, or where it is worthless (see
    /// Goals), or else 10 times the smallest result, rounded up to 1, 2 or 5 times a power of 10.
    /// `extent` where that is not positive.
    scale,
};

struct EngineSettings {
    EngineKind kind = EngineKind::generational;
    std::uint64_t seed = 1;
    std::size_t population = 20;      ///< as the next: for a first try
    std::uint64_t evaluations = 100;  ///< candidates to propose in all; or no_limit
    /// What may be spent on training: no candidate is proposed or promoted that would overstep it,
    /// and the search ends when none fits. A generational engine decides when a generation begins:
    /// it has as many candidates as fit with their promotions. In other units than epochs a
    /// candidate costs the mean so far, and the first population, which has no price yet, is whole.
    Budget budget;
    /// Training budget of every candidate; 0: as its own recipe says. No more than that: what a
    /// recipe does later than its own epochs is not told apart by a design.
    int epochs = 0;
    Goals goals;
    ReferenceRule reference_rule = ReferenceRule::extent;
    VariationSettings variation;
    PruningSettings pruning;
    LadderSettings ladder;
    SurrogateSettings surrogate;
    /// Further trainings, with other seeds, of each design that would be a member of the front: its
    /// result is then their mean. 0: one training counts as truth.
    std::size_t confirm = 0;
    std::vector<Genome> first;  ///< designs of the first population; the rest is sampled
    /// Why a design is infeasible whatever its metrics are, or nothing; pure. It may take long, so
    /// it is asked only about designs that are about to be proposed. Empty: there is no such rule.
    std::function<std::optional<std::string>(const Candidate&)> static_rule = {};
    bool analytic = false;  ///< the space is a box: candidates carry no spec
};

/// EngineSettings::evaluations when only the budget limits the search.
constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

/// Metrics that need no evaluation, e.g. parameters and flops; pure, or nothing at all.
using StaticMetrics = std::function<Metrics(const Candidate&)>;

/// What the engine decided about a candidate it had been told before.
struct Decision {
    CandidateId id = 0;
    bool promoted = false;  ///< else it stays at its rung for good, or is confirmed or not
    std::string reason;
    std::string what = promoted_to(promoted);  ///< for the journal

    [[nodiscard]] static const char* promoted_to(bool promoted) {
        return promoted ? "promoted" : "kept on its rung";
    }
};

/// Why a candidate need not be trained any further.
struct Verdict {
    Status status = Status::cancelled;  ///< infeasible or cancelled
    std::string reason;
};

/// A result on a rung of the ladder that may still be promoted.
struct RungEntry {
    CompletedCandidate completed;
    bool promoted = false;
};

/// What was learnt about one rung: sums of a linear regression over its results.
struct SurfaceSums {
    struct Target {
        std::vector<double> moments;  ///< features times target
        double squares = 0;           ///< target squared
    };
    std::uint64_t count = 0;
    std::vector<double> products;  ///< features times features: lower triangle, row after row
    std::map<std::string, Target> targets;  ///< by objective
};

/// What only a generational engine knows.
struct GenerationalState {
    std::deque<Candidate> queue;                ///< bred or promoted, not asked yet
    std::vector<CompletedCandidate> cohort;     ///< told on the current rung
    std::vector<CompletedCandidate> offspring;  ///< of this generation, done with
    std::vector<ArchiveMember> settled_front;   ///< front when the generation began
};

/// What only an engine without generations knows.
struct AsynchronousState {
    std::vector<std::vector<RungEntry>> rungs;  ///< results on each rung but the last
};

/// What only a model-based engine knows.
struct ModelState {
    std::vector<ModelResult> results;  ///< in the order in which they were told
    FittedMetrics fitted;
    /// Of designs under way, for each metric of which little is known: the interval that holds its
    /// value with a probability of 68 %.
    std::map<CandidateId, std::map<std::string, std::pair<double, double>>> expected;
    /// What was measured of designs that are no candidates yet, by genes.
    std::map<std::vector<double>, Measured> scouted;
    std::map<std::vector<double>, std::vector<CandidateId>> parents;  ///< of those; empty: left out
    std::uint64_t scouts = 0;                                         ///< measurements so far
    std::set<std::string> measured;         ///< metrics that measuring delivers
    std::uint64_t intervals = 0, held = 0;  ///< of designs told, and how many held the value
};

/// Everything an engine knows; restore() goes on from exactly here.
struct EngineState {
    std::uint64_t proposed = 0;                 ///< candidates so far; also the last id given
    std::uint64_t told = 0;                     ///< calls of tell()
    std::uint64_t done = 0;                     ///< candidates told at least once
    Spent spent;                                ///< on trainings told; the journal has it
    std::map<Status, std::uint64_t> by_status;  ///< calls of tell() by status, without repeats
    std::uint32_t generation = 0;  ///< the one being evaluated; the next one between two
    std::uint64_t scanned = 0;     ///< position in the systematic scan of a nearly exhausted space
    bool exhausted = false;        ///< the space has no new design left
    Population population;
    Archive archive;
    std::set<Digest> seen;                     ///< designs proposed so far
    std::map<CandidateId, Candidate> pending;  ///< asked, not told
    /// Largest improvement seen from each rung to the next: smallest ratio of each objective.
    std::vector<Metrics> gains;
    std::vector<SurfaceSums> surfaces;  ///< with a surrogate: one for each rung
    std::vector<double> best, worst;    ///< extent of the objectives told so far
    std::vector<double> reference;      ///< of the hypervolume; empty: not fixed yet
    ConfirmationState confirmation;
    ModelState model;
    std::variant<GenerationalState, AsynchronousState> own;
};

/// Proposes candidates and learns from results: a pure state machine without clock, files or
/// threads.
///
/// Call order: any mix of ask() and tell(). Each candidate's randomness is addressed by its number,
/// so the sequence of candidates depends on the settings and, without generations, on the order of
/// the calls (of inform(), too); never on time or on the number of ranks. A generational run gives
/// the same candidates for any order of tell() within a generation.
class Engine {
  public:
    virtual ~Engine() = default;

    /// The next candidate to evaluate; nothing while the engine has to be told first, or when the
    /// budget or the space is exhausted. A promoted candidate comes again with its id, the next
    /// rung and a larger budget. A repeat (repeat_of() its id) comes with the full budget and, as
    /// `known`, all that training does not change; it is no design of its own.
    [[nodiscard]] virtual std::optional<Candidate> ask() = 0;
    /// ask() as it was answered before, from a journal.
    /// @return what the engine makes of it; nothing, or another candidate, when it cannot have
    /// been.
    [[nodiscard]] virtual std::optional<Candidate> ask_again(const Candidate& /*journaled*/) {
        return ask();
    }
    /// REQUIRES: the candidate is pending, and a completed one has every metric of the goals.
    /// Completed candidates, and those that break a constraint, may enter the population; others
    /// never do.
    virtual void tell(const CompletedCandidate& completed) = 0;
    /// True when every proposed candidate has been told and none will follow.
    [[nodiscard]] virtual bool finished() const = 0;
    /// Decisions since the last call: who was promoted or confirmed, and who was not.
    [[nodiscard]] virtual std::vector<Decision> take_decisions() = 0;
    /// Why this pending candidate, with these metrics known so far, need not be trained; or
    /// nothing. In a generational run the answer is the same at any moment of a generation.
    [[nodiscard]] virtual std::optional<Verdict> verdict(const Candidate& candidate,
                                                         const Metrics& known) const = 0;

    /// A design that is worth measuring before anything is decided about it; nothing when there is
    /// none. Only asks: it is no candidate, and its id (is_scout()) is never told.
    [[nodiscard]] virtual std::optional<Candidate> scout() { return std::nullopt; }
    /// What devices of one class measured of it, or that they could not. One that was lost may be
    /// scouted again.
    virtual void inform(const Scouted& /*scouted*/) {}
    /// The run goes on later, perhaps with other devices: what inform() said is forgotten.
    virtual void forget_scouted() {}
    /// What inform() said of this design before and completed.
    [[nodiscard]] virtual Measured measured_before(const Genome& /*genome*/) const { return {}; }

    [[nodiscard]] virtual const EngineState& state() const = 0;
    /// Goes on from a state that an engine with the same settings and space gave.
    virtual void restore(EngineState state) = 0;
    [[nodiscard]] virtual const EngineSettings& settings() const = 0;
    [[nodiscard]] virtual const SearchSpace& space() const = 0;
};

/// @param space  must outlive the engine.
/// @throws ConfigError  settings out of range: population under 2, no objective, ladder not
///                      ascending …
[[nodiscard]] std::unique_ptr<Engine> make_engine(const SearchSpace& space, EngineSettings settings,
                                                  StaticMetrics static_metrics = {});

/// Epochs of so many candidates that go up a ladder together, when none fails and none is pruned.
[[nodiscard]] double epochs_of_cohort(const LadderSettings& ladder, std::uint64_t candidates);
/// Epochs that a search with a ladder trains when nothing fails and nothing is pruned; nothing
/// without a ladder, when all designs cost alike or their recipes say how they differ.
[[nodiscard]] std::optional<double> expected_epochs(const EngineSettings& settings);

/// Candidates that train now or will: asked and not told, or about to be asked.
[[nodiscard]] std::set<CandidateId> under_way(const EngineState& state);
/// Candidates whose training may go on: under way, or told and perhaps promoted later.
[[nodiscard]] std::set<CandidateId> unfinished(const EngineState& state);

/// The front by what is known now; of a search that has finished only members that were confirmed,
/// if it confirms. Ascending by first objective.
[[nodiscard]] std::vector<ArchiveMember> reported_front(const Engine& engine);
/// Designs that the front lacks because their repeats would have been more than there are
/// designs; 0 while the search goes on.
[[nodiscard]] std::size_t left_unconfirmed(const Engine& engine);

/// The initial weights' seed of a design: a function of the run's seed, the design and the number
/// of its repeat alone, so that results can be reused wherever the design turns up again.
[[nodiscard]] std::uint64_t training_seed(std::uint64_t run_seed, const Digest& design,
                                          std::uint32_t repeat = 0);

}  // namespace edgeloop
