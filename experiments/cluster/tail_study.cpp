// How busy the ranks of an allocation are kept, and how long a run takes, with groups of one size
// and with larger groups for large designs: the real engine and coordinator on a virtual clock.
// Training times follow from the FLOPs of the designs of a shipped space. Prints a table.
//   tail_study [space] [population] [generations]
#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/search/coordinator.hpp"
#include "edgeloop/search/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr double efficiency_of_a_doubling = 0.9;  // of data-parallel training, see README.md
constexpr double seconds_per_gflop = 1;

double flops_of(const Candidate& candidate) {
    return double(count(candidate.design->spec()).flops);
}

double seconds_on(double flops, std::size_t ranks) {
    const double doublings = std::log2(double(ranks));
    return flops / 1e9 * seconds_per_gflop / double(ranks) /
           std::pow(efficiency_of_a_doubling, doublings);
}

/// Ranks in virtual time that form groups of the size a candidate wants. As in a run, a candidate
/// that finds too few idle ranks waits and holds those that fall idle; ranks are alike here, so any
/// of them make a group.
class SimulatedRanks : public Evaluator {
  public:
    SimulatedRanks(VirtualClock& clock, std::size_t ranks,
                   std::function<std::size_t(double flops)> size)
        : clock_(clock), ranks_(ranks), idle_(ranks), size_(std::move(size)) {}

    [[nodiscard]] std::size_t free_slots() const override {
        // For groups of a fixed larger size, the next candidate then waits for the rest of its
        // group.
        return waiting_.empty() ? idle_ : 0;
    }
    void submit(const Candidate& candidate) override {
        waiting_.push_back(candidate);
        start_waiting();
    }
    void cancel(CandidateId) override {}
    [[nodiscard]] std::vector<Outcome> poll() override { return std::exchange(done_, {}); }

    [[nodiscard]] double busy_share() const {
        return busy_rank_seconds_ / (double(ranks_) * clock_.now());
    }

  private:
    void start_waiting() {
        while (!waiting_.empty()) {
            const double flops = flops_of(waiting_.front());
            const std::size_t ranks = size_(flops);
            if (ranks > idle_) return;
            idle_ -= ranks;
            Outcome outcome;
            outcome.id = waiting_.front().id;
            outcome.seconds = seconds_on(flops, ranks);
            // Larger designs err less, with some scatter: selection then keeps all sizes.
            RandomStream scatter(1, "error", 0, outcome.id);
            outcome.metrics = {{"val_rmse", std::exp(0.2 * scatter.normal()) / std::log(flops)}};
            busy_rank_seconds_ += double(ranks) * outcome.seconds;
            waiting_.pop_front();
            clock_.at(clock_.now() + outcome.seconds, [this, outcome, ranks] {
                idle_ += ranks;
                done_.push_back(outcome);
                start_waiting();
            });
        }
    }

    VirtualClock& clock_;
    std::size_t ranks_, idle_;
    std::function<std::size_t(double)> size_;
    std::deque<Candidate> waiting_;
    std::vector<Outcome> done_;
    double busy_rank_seconds_ = 0;
};

struct Result {
    double seconds = 0, busy = 0;
};

enum class Order { as_bred, largest_first };

Result simulate(const SearchSpace& space, std::size_t population, std::uint64_t generations,
                std::size_t ranks, const std::function<std::size_t(double)>& size, Order order) {
    EngineSettings settings;
    settings.population = population;
    settings.evaluations = population * generations;
    settings.goals.objectives = {"val_rmse", "cost"};
    // The coordinator orders by the metric "flops", where it is known.
    const auto engine = make_engine(space, settings, [&](const Candidate& candidate) {
        const double flops = flops_of(candidate);
        Metrics metrics{{"cost", flops}};
        if (order == Order::largest_first) metrics["flops"] = flops;
        return metrics;
    });
    VirtualClock clock;
    SimulatedRanks evaluator(clock, ranks, size);
    NullRunStore store;
    SearchOptions options;
    options.clock = &clock;
    options.status_seconds = std::numeric_limits<double>::infinity();
    (void)run_search(*engine, evaluator, nullptr, store, options);
    return {clock.now(), evaluator.busy_share()};
}

double median_flops(const SearchSpace& space) {
    RandomStream random(0, "median design");
    std::vector<double> flops;
    while (flops.size() < 199) {
        const Genome genome = space.sample(random);
        if (!space.infeasibility(genome))
            flops.push_back(double(count(space.decode(genome)).flops));
    }
    std::sort(flops.begin(), flops.end());
    return flops[flops.size() / 2];
}

int study(const std::string& name, std::size_t population, std::uint64_t generations) {
    const SearchSpace space = SearchSpace::from_file(name);
    const double median = median_flops(space);
    fmt::print(
        "| worker ranks | groups | order | time | ranks busy |\n| --- | --- | --- | --- | --- |\n");
    for (const std::size_t ranks : {4, 8, 16, 32, 64}) {
        const auto row = [&](const std::string& groups, const char* order_name,
                             const Result& result) {
            fmt::print("| {} | {} | {} | {:.0f} s | {:.1f} % |\n", ranks, groups, order_name,
                       result.seconds, 100 * result.busy);
        };
        const auto fixed = [](std::size_t size) { return [size](double) { return size; }; };
        row("1", "as bred",
            simulate(space, population, generations, ranks, fixed(1), Order::as_bred));
        for (std::size_t size = 1; size <= std::min<std::size_t>(ranks, 4); size *= 2)
            row(std::to_string(size), "largest first",
                simulate(space, population, generations, ranks, fixed(size), Order::largest_first));
        for (std::size_t large = 2; large <= std::min<std::size_t>(ranks, 8); large *= 2)
            row(fmt::format("1, large {}", large), "largest first",
                simulate(
                    space, population, generations, ranks,
                    [=](double flops) { return flops >= median * double(large) ? large : 1; },
                    Order::largest_first));
    }
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] {
        return edgeloop::study(argc > 1 ? argv[1] : "hpc2edge",
                               argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 40,
                               argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 5);
    });
}
