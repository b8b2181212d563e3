#include "apps/search_simulation.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/search/simulation.hpp"

#include <cmath>

namespace edgeloop::apps {
namespace {

/// Runs ahead of whoever waits for it.
class WatchedVirtualClock : public VirtualClock {
  public:
    [[nodiscard]] double pace() const override { return steady_seconds(); }
};

/// Log-normal with mean 1. A candidate's seed follows from the run's and the design.
double factor(const Candidate& candidate, double sigma) {
    if (sigma == 0) return 1;
    RandomStream random(candidate.seed, "simulated seconds",
                        static_cast<std::uint32_t>(candidate.rung));
    return std::exp(sigma * random.normal() - 0.5 * sigma * sigma);
}

}  // namespace

void simulate_search(SearchLeader& leader, const SearchConfig& config, const SearchTask& task,
                     LatencyProbe* probe) {
    WatchedVirtualClock clock;
    SimulatedEvaluator workers(
        clock, static_cast<std::size_t>(config.simulated_workers), [&](const Candidate& candidate) {
            Outcome outcome = task.evaluate(candidate);
            outcome.seconds =
                task.notional_seconds(candidate) * factor(candidate, config.simulated_sigma);
            return outcome;
        });
    leader.search(workers, probe, nullptr, false, &clock);
}

}  // namespace edgeloop::apps
