#include "apps/search_simulation.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/search/simulation.hpp"

namespace edgeloop::apps {
namespace {

/// Runs ahead of whoever waits for it.
class WatchedVirtualClock : public VirtualClock {
  public:
    [[nodiscard]] double pace() const override { return steady_seconds(); }
};

}  // namespace

void simulate_search(SearchLeader& leader, const SearchConfig& config, const SearchTask& task,
                     const Probes& probes) {
    WatchedVirtualClock clock;
    SimulatedEvaluator workers(
        clock, static_cast<std::size_t>(config.simulated_workers), [&](const Candidate& candidate) {
            Outcome outcome = task.evaluate(candidate);
            outcome.seconds =
                task.notional_seconds(candidate) * time_factor(candidate, config.simulated_sigma);
            return outcome;
        });
    leader.search(workers, probes, nullptr, false, &clock);
}

}  // namespace edgeloop::apps
