// What averaging gradients costs: training steps of the human baseline at 16x56x56 on rank 0 while
// the others rest, on all ranks without exchange, with the simple and with the overlapped one, in
// turns, so that all meet the same conditions. Prints one JSON object.
//   mpirun -n 2 exchange_benchmark [rounds] [batch]
#include "benchmark_main.hpp"
#include "model/network.hpp"
#include "training/gradient_averager.hpp"
#include "training/optimization.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/quantile.hpp"

#include <string>
#include <vector>

#include <ATen/Parallel.h>

namespace edgeloop {
namespace {

/// Trains one network on random clips with one way of exchange.
class Contestant {
  public:
    Contestant(const ArchitectureSpec& spec, const Communicator& group, GradientExchange exchange,
               std::int64_t batch)
        : network_(make_network(spec, 1)),
          optimizer_(make_optimizer(spec.training, network_->parameters())),
          averager_(network_->parameters(), group, exchange),
          clips_(torch::randn({batch, 1, spec.clip.frames, spec.clip.side, spec.clip.side})),
          targets_(torch::rand({batch, 2})) {}

    void step() {
        const double start = steady_seconds();
        averager_.begin();
        StepTotals own;
        own.samples = double(targets_.size(0));
        (network_->forward(clips_) - targets_).square().sum().backward();
        averager_.stage();
        averager_.average(averager_.exchange(own));
        optimizer_->step();
        seconds_.push_back(steady_seconds() - start);
    }
    void forget() { seconds_.clear(); }
    /// Of a step, on the slowest rank that took any.
    [[nodiscard]] double median_seconds(const Communicator& world) const {
        return world.all_reduce(seconds_.empty() ? 0 : median(seconds_), Reduction::max);
    }

  private:
    std::shared_ptr<Network> network_;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
    GradientAverager averager_;
    torch::Tensor clips_, targets_;
    std::vector<double> seconds_;
};

ArchitectureSpec small_human_baseline() {
    Json json = ArchitectureSpec::from_file("human").to_json();
    json["clip"]["side"] = 56;
    return ArchitectureSpec::from_json(json, "human");
}

Json benchmark(const Numbers& numbers, const Communicator& world) {
    at::set_num_threads(1);
    const long rounds = numbers.at(1, 10);
    const long batch = numbers.at(2, 4);
    const ArchitectureSpec spec = small_human_baseline();

    Contestant lone(spec, Communicator(), GradientExchange::simple, batch);
    Contestant apart(spec, Communicator(), GradientExchange::simple, batch);
    Contestant simple(spec, world, GradientExchange::simple, batch);
    Contestant overlapped(spec, world, GradientExchange::overlapped, batch);
    for (long round = -1; round < rounds; ++round) {
        for (Contestant* contestant : {&lone, &apart, &simple, &overlapped}) {
            (void)world.all_gather("");  // begin together
            if (contestant != &lone || world.rank() == 0) contestant->step();
            if (round < 0) contestant->forget();
        }
    }
    const double alone_s = lone.median_seconds(world);
    const double apart_s = apart.median_seconds(world);
    const double simple_s = simple.median_seconds(world);
    const double overlapped_s = overlapped.median_seconds(world);
    return {{"ranks", world.size()},
            {"batch_per_rank", batch},
            {"rounds", rounds},
            {"step_s_one_rank_alone", alone_s},
            {"step_s_without_exchange", apart_s},
            {"step_s_simple", simple_s},
            {"step_s_overlapped", overlapped_s},
            {"samples_per_s_one_rank_alone", double(batch) / alone_s},
            {"samples_per_s_overlapped", double(batch) * world.size() / overlapped_s},
            {"efficiency_simple", alone_s / simple_s},
            {"efficiency_overlapped", alone_s / overlapped_s},
            {"efficiency_without_exchange", alone_s / apart_s},
            {"communication_hidden", 1 - (overlapped_s - apart_s) / (simple_s - apart_s)}};
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::benchmark_main(argc, argv, edgeloop::benchmark);
}
