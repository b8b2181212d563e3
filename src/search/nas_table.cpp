#include "edgeloop/search/nas_table.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace edgeloop {
namespace {

constexpr double seconds_per_gflop = 0.5;  // and epoch: sets the scale of simulated times only
constexpr double measuring_seconds = 2;

double sum_of(const Json& numbers) {
    double sum = 0;
    for (const Json& number : numbers) sum += number.get<double>();
    return sum;
}

// How far the recipe is from the best one for this network; 0 is perfect.
double recipe_penalty(const ArchitectureSpec& spec) {
    const double width = spec.architecture.at("embed_dim").get<double>();
    const double best = -2.7 - 0.35 * std::log2(width / 24);
    const double distance = std::log10(spec.training.learning_rate) - best;
    const double decay = std::log(spec.training.gamma) / spec.training.step_epochs;
    return 0.30 * (1 - std::exp(-0.5 * distance * distance)) + 0.4 * std::abs(decay + 0.03);
}

// Effects of the shape beyond its size.
double shape_penalty(const ArchitectureSpec& spec) {
    const Json& depths = spec.architecture.at("depths");
    const double late = depths.at(2).get<double>() / sum_of(depths);
    const double narrow_heads = std::abs(std::log2(sum_of(spec.architecture.at("heads")) / 24));
    const double coarse_time = spec.architecture.at("patch").at(0).get<double>() == 4 ? 0.012 : 0;
    return 0.03 * std::abs(late - 0.45) + 0.006 * narrow_heads + coarse_time;
}

}  // namespace

NasTable::NasTable(Counter counter, std::uint64_t seed)
    : space_(SearchSpace::from_file("hpc2edge")), counter_(std::move(counter)), seed_(seed) {}

Goals NasTable::goals() {
    Goals goals;
    goals.objectives = {"val_rmse", "latency_ms"};
    return goals;
}

Outcome NasTable::train(const Candidate& candidate) const {
    RandomStream noise(seed_ ^ candidate.seed, "noise of training",
                       static_cast<std::uint32_t>(candidate.epochs), 0);
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.metrics["val_rmse"] =
        std::max(0.01, expected_error(candidate.genome, candidate.epochs) +
                           0.012 / std::sqrt(candidate.epochs) * noise.normal());
    outcome.seconds = seconds_per_gflop * costs(candidate.genome).gflops *
                      (candidate.epochs - candidate.trained_epochs);
    return outcome;
}

Outcome NasTable::measure(const Candidate& candidate) const {
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.metrics["latency_ms"] = costs(candidate.genome).latency_ms;
    outcome.seconds = measuring_seconds;
    return outcome;
}

double NasTable::true_error(const Genome& genome) const {
    return expected_error(genome, full_epochs);
}

const NetworkCosts& NasTable::costs(const Genome& genome) const {
    const ArchitectureSpec spec = space_.decode(genome);
    const Digest network = spec.network_identity();
    const auto found = counted_.find(network);
    return found != counted_.end() ? found->second
                                   : counted_.emplace(network, counter_(spec)).first->second;
}

double NasTable::expected_error(const Genome& genome, int epochs) const {
    const ArchitectureSpec spec = space_.decode(genome);
    const Digest design = spec.network_identity();
    RandomStream fixed(seed_, "table", 0, design.low);
    const double size = std::log10(std::max(costs(genome).gflops, 0.01)) + 2;  // about 1 to 4
    const double capacity = 0.06 + 0.30 * std::pow(10.0, -0.45 * (size - 1));
    const double converged =
        capacity + recipe_penalty(spec) + shape_penalty(spec) + 0.01 * fixed.normal();
    const double rate = 1.1 - 0.12 * size;
    return converged + 0.25 * std::pow(static_cast<double>(epochs), -rate);
}

}  // namespace edgeloop
