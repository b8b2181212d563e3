#include "search/engine_base.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
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
        if (state_.queue.empty() && state_.pending.empty() && !spent()) breed();
        if (state_.queue.empty()) return std::nullopt;
        Candidate candidate = std::move(state_.queue.front());
        state_.queue.pop_front();
        state_.pending.emplace(candidate.id, candidate);
        return candidate;
    }

    bool finished() const override {
        return state_.queue.empty() && state_.pending.empty() && spent();
    }

  private:
    [[nodiscard]] bool spent() const {
        return state_.exhausted || state_.proposed >= settings_.evaluations;
    }

    void restored() override {}

    [[nodiscard]] const std::vector<ArchiveMember>& rivals() const override {
        return state_.settled_front;
    }

    void breed() {
        const std::uint64_t members =
            state_.generation == 0 ? first_population() : settings_.population;
        const auto count = std::min(members, settings_.evaluations - state_.proposed);
        state_.settled_front = state_.archive.members();
        if (state_.population.size() < 2)
            sample_generation(count);
        else
            vary_generation(count);
    }

    void sample_generation(std::uint64_t count) {
        // Numbers of the first population are not given again.
        const std::uint64_t more = first_population() - settings_.population;
        const std::uint64_t first =
            state_.generation == 0 ? 0 : state_.generation * settings_.population + more;
        for (std::uint64_t i = 0; i < count; ++i) enqueue(initial_candidate(first + i));
    }

    void vary_generation(std::uint64_t count) {
        if (foresees()) return breed_with_foresight(count);
        const std::vector<Individual>& parents = state_.population.individuals();
        const Ranking& ranking = state_.population.ranking();
        RandomStream mating = stream("mating", state_.generation, 0);
        const std::vector<std::size_t> pool = mating_pool(parents, ranking, count + 1, mating);
        for (std::uint64_t pair = 0; 2 * pair < count; ++pair) {
            RandomStream random = stream("offspring", state_.generation, pair);
            auto [first, second] =
                vary(space_, parents[pool[2 * pair]].genome, parents[pool[2 * pair + 1]].genome,
                     settings_.variation, random);
            enqueue(proposer_.propose(std::move(first), random, state_));
            if (2 * pair + 1 < count) enqueue(proposer_.propose(std::move(second), random, state_));
        }
    }

    void breed_with_foresight(std::uint64_t count) {
        Points rivals = competition(0);
        for (std::uint64_t i = 0; i < count; ++i) {
            RandomStream random = stream("offspring", state_.generation, i);
            enqueue(proposer_.propose(bred(random, rivals), random, state_));
            if (state_.exhausted) return;
            if (auto hoped = hope(state_.queue.back()))
                rivals.push_back(std::move(hoped->objectives));
        }
    }

    void enqueue(std::optional<Candidate> candidate) {
        if (!candidate) return;
        candidate->generation = state_.generation;
        candidate->index = static_cast<std::uint32_t>(state_.queue.size());
        state_.queue.push_back(std::move(*candidate));
    }

    void absorb(const CompletedCandidate& completed) override {
        state_.cohort.push_back(completed);
        if (!state_.queue.empty() || !state_.pending.empty()) return;
        std::vector<CompletedCandidate> cohort = std::exchange(state_.cohort, {});
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
                state_.queue.push_back(promoted(cohort[i]));
            else
                state_.offspring.push_back(std::move(cohort[i]));
        }
        if (state_.queue.empty()) close_generation();
    }

    /// Which of the cohort climb: the best of those that completed, by rank and crowding.
    std::vector<bool> choose_promoted(const std::vector<CompletedCandidate>& cohort) {
        if (foresees()) return choose_promising(cohort);
        std::vector<std::size_t> field;
        std::vector<Individual> individuals;
        for (std::size_t i = 0; i < cohort.size(); ++i) {
            if (cohort[i].status != Status::completed) continue;
            field.push_back(i);
            individuals.push_back(*as_individual(cohort[i]));
        }
        const auto places = static_cast<std::size_t>(
            std::ceil(static_cast<double>(field.size()) / settings_.ladder.reduction));
        const std::vector<std::size_t> order = select_survivors(individuals, field.size());
        std::vector<bool> goes_on(cohort.size(), false);
        for (std::size_t place = 0; place < order.size(); ++place) {
            const CompletedCandidate& each = cohort[field[order[place]]];
            const std::optional<std::string> hopeless = outclassed(each);
            const bool climbs = place < places && !hopeless;
            goes_on[field[order[place]]] = climbs;
            decide(each, climbs, hopeless.value_or(place_text(place + 1, field.size(), false)));
        }
        return goes_on;
    }

    /// The same with foresight: one after another, each measured against those chosen before, too.
    std::vector<bool> choose_promising(const std::vector<CompletedCandidate>& cohort) {
        std::map<std::size_t, Hope> hopes;
        for (std::size_t i = 0; i < cohort.size(); ++i)
            if (cohort[i].status == Status::completed)
                hopes[i] =
                    hope(cohort[i]).value_or(Hope{settings_.goals.values(cohort[i].metrics)});
        const std::size_t field = hopes.size();
        const auto places = static_cast<std::size_t>(
            std::ceil(static_cast<double>(field) / settings_.ladder.reduction));
        Points rivals = state_.archive.points();
        std::vector<bool> goes_on(cohort.size(), false);
        for (std::size_t place = 0; place < field; ++place) {
            const auto best = most_promising(hopes, rivals);
            const CompletedCandidate& each = cohort[best->first];
            const std::optional<std::string> hopeless = outclassed(each);
            const bool climbs = place < places && !hopeless;
            goes_on[best->first] = climbs;
            decide(each, climbs, hopeless.value_or(place_text(place + 1, field, true)));
            if (climbs) rivals.push_back(best->second.objectives);
            hopes.erase(best);
        }
        return goes_on;
    }

    [[nodiscard]] std::map<std::size_t, Hope>::iterator most_promising(
        std::map<std::size_t, Hope>& hopes, const Points& rivals) const {
        auto best = hopes.begin();
        double most = -std::numeric_limits<double>::infinity();
        for (auto each = hopes.begin(); each != hopes.end(); ++each) {
            const double value = promised(each->second, rivals);
            if (value > most) best = each;
            most = std::max(most, value);
        }
        return best;
    }

    void close_generation() {
        for (const CompletedCandidate& each : std::exchange(state_.offspring, {}))
            if (auto individual = as_individual(each))
                state_.population.add(std::move(*individual), each.candidate.rung);
        state_.population.keep_best(settings_.population);
        ++state_.generation;
        fix_reference();
    }
};

}  // namespace

std::unique_ptr<Engine> make_generational(const SearchSpace& space, EngineSettings settings,
                                          StaticMetrics static_metrics) {
    return std::make_unique<GenerationalEngine>(space, std::move(settings),
                                                std::move(static_metrics));
}

}  // namespace edgeloop
