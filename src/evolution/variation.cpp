#include "edgeloop/evolution/variation.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace edgeloop {
namespace {

constexpr double exchange_probability = 0.5;  // of one gene when two parents are crossed

/// Spread factor of simulated binary crossover whose child stays on its side of the bound; `room`
/// is the distance from the nearer parent to the bound over the distance of the parents. Source:
/// Deb and Agrawal, Complex Systems 9, 1995; bounded form of the authors' NSGA-II code.
double spread_factor(double room, double eta, double u) {
    const double alpha = 2 - std::pow(1 + 2 * room, -(eta + 1));
    return std::pow(u <= 1 / alpha ? u * alpha : 1 / (2 - u * alpha), 1 / (eta + 1));
}

/// Simulated binary crossover of one gene on its scale.
void cross_numbers(const Variable& variable, double& a, double& b, double eta,
                   RandomStream& random) {
    const auto [x, y] = std::minmax({variable.to_scale(a), variable.to_scale(b)});
    constexpr double indistinguishable = 1e-14;
    if (y - x <= indistinguishable) return;
    const double u = random.uniform();
    const double centre = (x + y) / 2, half = (y - x) / 2;
    double low =
        centre - spread_factor((x - variable.to_scale(variable.first())) / (y - x), eta, u) * half;
    double high =
        centre + spread_factor((variable.to_scale(variable.last()) - y) / (y - x), eta, u) * half;
    if (random.chance(0.5)) std::swap(low, high);
    a = variable.from_scale(low);
    b = variable.from_scale(high);
}

void cross_gene(const Variable& variable, double& a, double& b, double eta, RandomStream& random) {
    if (!random.chance(exchange_probability)) return;
    if (variable.traits().is_ordered)
        cross_numbers(variable, a, b, eta, random);
    else
        std::swap(a, b);
}

/// Polynomial mutation. Source: Deb and Goyal, Computer Science and Informatics 26(4), 1996;
/// bounded form of the authors' NSGA-II code.
double mutated_number(const Variable& variable, double gene, double eta, RandomStream& random) {
    const double low = variable.to_scale(variable.first()), value = variable.to_scale(gene);
    const double high = variable.to_scale(variable.last()), range = high - low;
    const double u = random.uniform(), power = eta + 1;
    const bool down = u < 0.5;
    const double room = down ? 1 - (value - low) / range : 1 - (high - value) / range;
    const double folded = down ? 2 * u : 2 * (1 - u);
    const double delta = 1 - std::pow(folded + (1 - folded) * std::pow(room, power), 1 / power);
    return variable.from_scale(std::clamp(value + (down ? -delta : delta) * range, low, high));
}

/// One step up or down; each further step is half as likely.
double neighbour(const Variable& variable, double gene, RandomStream& random) {
    const double low = variable.first(), high = variable.last();
    double distance = 1;
    while (random.chance(0.5) && distance < high - low) ++distance;
    const bool up = gene == low || (gene != high && random.chance(0.5));
    return std::clamp(gene + (up ? distance : -distance), low, high);
}

/// Any other choice, all alike.
double other_choice(const Variable& variable, double gene, RandomStream& random) {
    const auto others = static_cast<std::uint64_t>(variable.last() - variable.first());
    const auto pick = static_cast<double>(random.below(others));
    return pick < gene ? pick : pick + 1;
}

double mutated_gene(const Variable& variable, double gene, double eta, RandomStream& random) {
    if (!variable.traits().is_ordered) return other_choice(variable, gene, random);
    return variable.traits().is_whole ? neighbour(variable, gene, random)
                                      : mutated_number(variable, gene, eta, random);
}

bool can_vary(const Variable& variable) { return variable.last() > variable.first(); }

/// Draws the genes that do not exist in the design afresh: should a change wake them, their values
/// are then unbiased; if not, canonicalise() puts them back to sleep.
void draw_dormant(const SearchSpace& space, const std::vector<bool>& active, Genome& genome,
                  RandomStream& random) {
    for (std::size_t i = 0; i < active.size(); ++i)
        if (!active[i]) genome.genes[i] = space.variables()[i].sample(random);
}

std::size_t winner(const std::vector<Individual>& population, const Ranking& ranking, std::size_t a,
                   std::size_t b) {
    const auto merit = [&](std::size_t i) {
        return std::make_tuple(ranking.front[i], -ranking.crowding[i], population[i].id);
    };
    return merit(b) < merit(a) ? b : a;
}

void cross(const SearchSpace& space, Genome& a, Genome& b, double eta, RandomStream& random) {
    const std::vector<bool> in_a = space.active(a), in_b = space.active(b);
    for (std::size_t i = 0; i < in_a.size(); ++i) {
        if (in_a[i] && in_b[i])
            cross_gene(space.variables()[i], a.genes[i], b.genes[i], eta, random);
        else if (in_a[i])
            b.genes[i] = a.genes[i];
        else if (in_b[i])
            a.genes[i] = b.genes[i];
        else
            a.genes[i] = b.genes[i] = space.variables()[i].sample(random);
    }
    space.canonicalise(a);
    space.canonicalise(b);
}

}  // namespace

std::size_t tournament(const std::vector<Individual>& population, const Ranking& ranking,
                       RandomStream& random) {
    EDGELOOP_EXPECT(!population.empty(), "a tournament needs a population");
    const std::size_t others = population.size() - 1;
    const std::size_t a = random.below(population.size());
    if (others == 0) return a;
    const std::size_t b = (a + 1 + random.below(others)) % population.size();
    return winner(population, ranking, a, b);
}

std::vector<std::size_t> mating_pool(const std::vector<Individual>& population,
                                     const Ranking& ranking, std::size_t count,
                                     RandomStream& random) {
    EDGELOOP_EXPECT(!population.empty(), "a tournament needs a population");
    std::vector<std::size_t> contestants(population.size());
    std::iota(contestants.begin(), contestants.end(), std::size_t{0});
    std::vector<std::size_t> pool;
    while (pool.size() < count) {
        random.shuffle(contestants);
        for (std::size_t i = 0; i < contestants.size() && pool.size() < count; i += 2)
            pool.push_back(winner(population, ranking, contestants[i],
                                  contestants[(i + 1) % contestants.size()]));
    }
    return pool;
}

std::pair<Genome, Genome> vary(const SearchSpace& space, const Genome& a, const Genome& b,
                               const VariationSettings& settings, RandomStream& random) {
    std::pair<Genome, Genome> children{a, b};
    if (random.chance(settings.crossover_probability))
        cross(space, children.first, children.second, settings.crossover_eta, random);
    mutate(space, children.first, settings, random);
    mutate(space, children.second, settings, random);
    return children;
}

void mutate(const SearchSpace& space, Genome& genome, const VariationSettings& settings,
            RandomStream& random) {
    const std::vector<Variable>& variables = space.variables();
    const std::vector<bool> active = space.active(genome);
    std::vector<std::size_t> candidates;
    for (std::size_t i = 0; i < variables.size(); ++i)
        if (active[i] && can_vary(variables[i])) candidates.push_back(i);
    const double probability = settings.mutation_probability >= 0
                                   ? settings.mutation_probability
                                   : 1.0 / static_cast<double>(candidates.size());
    draw_dormant(space, active, genome, random);
    for (const std::size_t i : candidates)
        if (random.chance(probability))
            genome.genes[i] =
                mutated_gene(variables[i], genome.genes[i], settings.mutation_eta, random);
    space.canonicalise(genome);
}

}  // namespace edgeloop
