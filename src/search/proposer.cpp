#include "search/proposer.hpp"

#include <utility>

namespace edgeloop {
namespace {

constexpr int mutation_trials = 10;
constexpr int sample_trials_finite = 200;  // then the scan finds what is left
constexpr int sample_trials_infinite = 20000;
constexpr std::uint64_t scan_limit = 1u << 22;

std::uint64_t domain_size(const Variable& variable) {
    const double count = variable.cardinality();
    return variable.traits().is_whole && count <= static_cast<double>(scan_limit)
               ? static_cast<std::uint64_t>(count)
               : 0;
}

// Number of gene combinations, or 0 when there are more than the scan may visit.
std::uint64_t count_combinations(const SearchSpace& space) {
    std::uint64_t product = 1;
    for (const Variable& variable : space.variables()) {
        product *= domain_size(variable);
        if (product == 0 || product > scan_limit) return 0;
    }
    return product;
}

// The genome at a position of the mixed-radix count over all genes.
Genome genome_at(const SearchSpace& space, std::uint64_t position) {
    Genome genome;
    for (const Variable& variable : space.variables()) {
        const std::uint64_t size = domain_size(variable);
        genome.genes.push_back(variable.first() + static_cast<double>(position % size));
        position /= size;
    }
    space.canonicalise(genome);
    return genome;
}

// Epochs of the first training; 0 when neither settings nor recipe say.
int first_budget(const EngineSettings& settings, int recipe_epochs) {
    if (!settings.ladder.epochs.empty()) return settings.ladder.epochs.front();
    return settings.epochs > 0 ? settings.epochs : recipe_epochs;
}

}  // namespace

Proposer::Proposer(const SearchSpace& space, const EngineSettings& settings, StaticMetrics metrics)
    : space_(space),
      settings_(settings),
      static_metrics_(std::move(metrics)),
      combinations_(count_combinations(space)) {}

std::optional<Candidate> Proposer::propose(Offspring child, RandomStream& random,
                                           EngineState& state) const {
    const int sample_trials = combinations_ > 0 ? sample_trials_finite : sample_trials_infinite;
    std::optional<Trial> second_choice;  // new, but it breaks a limit on a static metric
    for (int trial = 0; trial <= mutation_trials + sample_trials; ++trial) {
        if (trial > mutation_trials)
            child = {space_.sample(random)};
        else if (trial > 0)
            mutate(space_, child.genome, settings_.variation, random);
        Trial examined = examine(child.genome, state);
        examined.candidate.parents = child.parents;
        if (examined.fitness == Fitness::usable) return issue(std::move(examined), state);
        if (examined.fitness == Fitness::breaks_limit && !second_choice)
            second_choice = std::move(examined);
    }
    if (!second_choice) second_choice = scan(state);
    if (second_choice) return issue(std::move(*second_choice), state);
    state.exhausted = true;
    return std::nullopt;
}

std::optional<Candidate> Proposer::given(const Genome& genome, RandomStream& random,
                                         EngineState& state) const {
    Trial examined = examine(genome, state);
    if (examined.fitness == Fitness::unusable) return propose({genome}, random, state);
    return issue(std::move(examined), state);
}

std::optional<Candidate> Proposer::sample(RandomStream& random, EngineState& state) const {
    return propose({space_.sample(random)}, random, state);
}

bool Proposer::usable(const Genome& genome, const EngineState& state) const {
    if (state.seen.count(space_.identity(genome)) > 0) return false;
    if (!settings_.static_rule) return !space_.infeasibility(genome);
    const SearchSpace::Decoded decoded = space_.try_decode(genome);
    Candidate candidate;
    candidate.genome = genome;
    candidate.design = decoded.design;
    return decoded.problem.empty() && !settings_.static_rule(candidate);
}

std::optional<Candidate> Proposer::scout(const Genome& genome, const EngineState& state) const {
    Trial trial = examine(genome, state);
    if (trial.fitness != Fitness::usable) return std::nullopt;
    trial.candidate.id = scout_id(trial.design);
    return std::move(trial.candidate);
}

Metrics Proposer::static_metrics(const Genome& genome) const {
    if (!static_metrics_) return {};
    Candidate candidate;
    candidate.genome = genome;
    if (!settings_.analytic) candidate.design = space_.try_decode(genome).design;
    if (!settings_.analytic && !candidate.design) return {};
    return static_metrics_(candidate);
}

Proposer::Trial Proposer::examine(const Genome& genome, const EngineState& state) const {
    Trial trial;
    const SearchSpace::Decoded decoded = space_.try_decode(genome);
    if (!decoded.problem.empty()) return trial;
    trial.design = decoded.design ? decoded.design->identity() : space_.identity(genome);
    if (state.seen.count(trial.design) > 0) return trial;
    Candidate& candidate = trial.candidate;
    candidate.genome = genome;
    candidate.seed = training_seed(settings_.seed, trial.design);
    int recipe_epochs = 0;
    if (!settings_.analytic) {
        candidate.design = decoded.design;
        recipe_epochs = candidate.design->spec().training.epochs;
    }
    candidate.epochs = first_budget(settings_, recipe_epochs);
    candidate.keep_state = settings_.ladder.epochs.size() > 1;
    if (static_metrics_) candidate.known = static_metrics_(candidate);
    const bool forbidden = settings_.goals.broken(candidate.known) ||
                           (settings_.static_rule && settings_.static_rule(candidate));
    trial.fitness = forbidden ? Fitness::breaks_limit : Fitness::usable;
    return trial;
}

std::optional<Proposer::Trial> Proposer::scan(EngineState& state) const {
    while (state.scanned < combinations_) {
        Trial trial = examine(genome_at(space_, state.scanned++), state);
        if (trial.fitness != Fitness::unusable) return trial;
    }
    return std::nullopt;
}

Candidate Proposer::issue(Trial trial, EngineState& state) const {
    state.seen.insert(trial.design);
    trial.candidate.id = ++state.proposed;
    return std::move(trial.candidate);
}

}  // namespace edgeloop
