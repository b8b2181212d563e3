#include "search/engine_base.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <utility>

namespace edgeloop {
namespace {

/// NSGA-II with whole generations: everything about generation g follows from its parents, the seed
/// and g, so neither the number of ranks nor the order of completion can be seen in the result.
///
/// Source: Deb, Pratap, Agarwal, Meyarivan, IEEE Trans. Evol. Comp. 6(2), 2002.
class GenerationalEngine : public EngineBase {
  public:
    using EngineBase::EngineBase;

    std::optional<Candidate> ask() override {
        if (auto again = next_repeat()) return again;
        if (own().queue.empty() && state_.pending.empty() && !spent()) breed();
        if (own().queue.empty()) return std::nullopt;
        Candidate candidate = std::move(own().queue.front());
        own().queue.pop_front();
        state_.pending.emplace(candidate.id, candidate);
        return candidate;
    }

    bool finished() const override {
        return own().queue.empty() && state_.confirmation.queue.empty() && state_.pending.empty() &&
               spent();
    }

  private:
    [[nodiscard]] GenerationalState& own() { return std::get<GenerationalState>(state_.own); }
    [[nodiscard]] const GenerationalState& own() const {
        return std::get<GenerationalState>(state_.own);
    }
    [[nodiscard]] bool spent() const {
        return state_.exhausted || nothing_fits_ || state_.proposed >= settings_.evaluations;
    }

    void restored() override { nothing_fits_ = false; }

    [[nodiscard]] const std::vector<ArchiveMember>& rivals() const override {
        return own().settled_front;
    }

    void breed() {
        const std::uint64_t members =
            state_.generation == 0 ? first_population() : settings_.population;
        const auto count = affordable(std::min(members, settings_.evaluations - state_.proposed));
        own().settled_front = state_.archive.members();
        if (state_.population.size() < 2)
            sample_generation(count);
        else
            vary_generation(count);
        nothing_fits_ = own().queue.empty();
    }

    /// As many candidates as the budget is good for, with their promotions. Without a ladder
    /// enqueue() sees what each costs.
    [[nodiscard]] std::uint64_t affordable(std::uint64_t count) const {
        if (!settings_.budget.limits() || settings_.ladder.epochs.empty()) return count;
        while (count > 0 && !affords(epochs_of_cohort(settings_.ladder, count))) --count;
        return count;
    }

    void sample_generation(std::uint64_t count) {
        // Numbers of the first population are not given again.
        const std::uint64_t more = first_population() - settings_.population;
        const std::uint64_t first =
            state_.generation == 0 ? 0 : state_.generation * settings_.population + more;
        bool fits = true;
        for (std::uint64_t i = 0; i < count && fits; ++i)
            fits = enqueue([&] { return initial_candidate(first + i); });
    }

    void vary_generation(std::uint64_t count) {
        if (uses_surrogate()) return breed_by_acquisition(count);
        const std::vector<Individual>& parents = state_.population.individuals();
        const Ranking& ranking = state_.population.ranking();
        RandomStream mating = stream("mating", state_.generation, 0);
        const std::vector<std::size_t> pool = mating_pool(parents, ranking, count + 1, mating);
        bool fits = true;
        for (std::uint64_t pair = 0; 2 * pair < count && fits; ++pair) {
            RandomStream random = stream("offspring", state_.generation, pair);
            const Individual& mother = parents[pool[2 * pair]];
            const Individual& father = parents[pool[2 * pair + 1]];
            auto [first, second] =
                vary(space_, mother.genome, father.genome, settings_.variation, random);
            const auto propose = [&](Genome& child) {
                return enqueue([&] {
                    return proposer_.propose({std::move(child), both_parents(mother.id, father.id)},
                                             random, state_);
                });
            };
            fits = propose(first) && (2 * pair + 1 >= count || propose(second));
        }
    }

    void breed_by_acquisition(std::uint64_t count) {
        Points rivals = competition(0);
        for (std::uint64_t i = 0; i < count; ++i) {
            RandomStream random = stream("offspring", state_.generation, i);
            const bool fits =
                enqueue([&] { return proposer_.propose(bred(random, rivals), random, state_); });
            if (!fits || state_.exhausted) return;
            if (auto predicted = predict(own().queue.back()))
                rivals.push_back(std::move(predicted->bound));
        }
    }

    /// @return false when the budget is not good for it; it is taken back then.
    bool enqueue(const std::function<std::optional<Candidate>()>& propose) {
        const std::uint64_t scanned = state_.scanned;
        std::optional<Candidate> candidate = propose();
        if (!candidate) return true;
        if (!affords(epochs_to_train(*candidate))) {
            withdraw(*candidate, scanned);
            return false;
        }
        candidate->generation = state_.generation;
        candidate->index = static_cast<std::uint32_t>(own().queue.size());
        own().queue.push_back(std::move(*candidate));
        return true;
    }

    void absorb(const CompletedCandidate& completed) override {
        own().cohort.push_back(completed);
        if (!own().queue.empty() || !state_.pending.empty()) return;
        std::vector<CompletedCandidate> cohort = std::exchange(own().cohort, {});
        std::sort(cohort.begin(), cohort.end(),
                  [](const CompletedCandidate& a, const CompletedCandidate& b) {
                      return a.candidate.id < b.candidate.id;
                  });
        for (const CompletedCandidate& each : cohort) learn(each);
        const bool at_top = cohort.front().candidate.rung == last_rung();
        const std::vector<bool> goes_on =
            at_top ? std::vector<bool>(cohort.size(), false) : choose_promoted(cohort);
        for (std::size_t i = 0; i < cohort.size(); ++i) {
            if (goes_on[i])
                own().queue.push_back(promoted(cohort[i]));
            else
                own().offspring.push_back(std::move(cohort[i]));
        }
        if (own().queue.empty()) confirm_or_close();
    }

    /// Repeats count when all of them are told, so their order does not matter.
    void absorb_repeat() override {
        if (!state_.confirmation.queue.empty() || !state_.pending.empty()) return;
        settle_repeats();
        confirm_or_close();
    }

    /// A generation ends when its members of the front are confirmed: one that disappoints makes
    /// room for others.
    void confirm_or_close() {
        queue_repeats();
        if (state_.confirmation.queue.empty()) close_generation();
    }

    /// Which of the cohort are promoted: the best of those that completed.
    std::vector<bool> choose_promoted(const std::vector<CompletedCandidate>& cohort) {
        std::vector<std::size_t> field;
        for (std::size_t i = 0; i < cohort.size(); ++i)
            if (cohort[i].status == Status::completed) field.push_back(i);
        const auto places = static_cast<std::size_t>(
            std::ceil(static_cast<double>(field.size()) / settings_.ladder.reduction));
        const double step = step_above(cohort.front().candidate.rung);
        std::size_t place = 0, promoted = 0;
        std::vector<bool> goes_on(cohort.size(), false);
        const auto place_next = [&](std::size_t i) {
            const std::optional<std::string> dominated = outclassed(cohort[i]);
            const bool chosen = place++ < places && !dominated;
            goes_on[i] = chosen && affords(static_cast<double>(promoted + 1) * step);
            promoted += goes_on[i] ? 1 : 0;
            decide(cohort[i], goes_on[i],
                   dominated.value_or(place_text(place, field.size()) +
                                      (chosen && !goes_on[i] ? ", beyond the budget" : "")));
            return goes_on[i];
        };
        if (uses_surrogate())
            place_by_acquisition(cohort, field, place_next);
        else
            place_by_rank(cohort, field, place_next);
        return goes_on;
    }

    using PlaceNext = std::function<bool(std::size_t)>;  ///< says whether it is promoted

    void place_by_rank(const std::vector<CompletedCandidate>& cohort,
                       const std::vector<std::size_t>& field, const PlaceNext& place_next) const {
        std::vector<Individual> individuals;
        individuals.reserve(field.size());
        for (const std::size_t i : field) individuals.push_back(*as_individual(cohort[i]));
        for (const std::size_t k : select_survivors(individuals, field.size()))
            (void)place_next(field[k]);
    }

    /// Each is measured against those promoted before, too.
    void place_by_acquisition(const std::vector<CompletedCandidate>& cohort,
                              const std::vector<std::size_t>& field,
                              const PlaceNext& place_next) const {
        std::map<std::size_t, Prediction> predictions;
        for (const std::size_t i : field)
            predictions[i] =
                predict(cohort[i]).value_or(Prediction{settings_.goals.values(cohort[i].metrics)});
        Points rivals = state_.archive.points();
        while (!predictions.empty()) {
            auto best = predictions.begin();
            double max_value = -std::numeric_limits<double>::infinity();
            for (auto each = predictions.begin(); each != predictions.end(); ++each) {
                const double value = acquisition_of(each->second, rivals);
                if (value > max_value) best = each;
                max_value = std::max(max_value, value);
            }
            if (place_next(best->first)) rivals.push_back(std::move(best->second.bound));
            predictions.erase(best);
        }
    }

    void close_generation() {
        for (const CompletedCandidate& each : std::exchange(own().offspring, {}))
            if (auto individual = as_individual(each))
                state_.population.add(std::move(*individual));
        state_.population.keep_best(settings_.population);
        ++state_.generation;
        fix_reference();
    }

    bool nothing_fits_ = false;  ///< the budget is not good for one more candidate
};

}  // namespace

std::unique_ptr<Engine> make_generational(const SearchSpace& space, EngineSettings settings,
                                          StaticMetrics static_metrics) {
    return std::make_unique<GenerationalEngine>(space, std::move(settings),
                                                std::move(static_metrics));
}

}  // namespace edgeloop
