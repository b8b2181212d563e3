// What averaging gradients costs: a training step of the human baseline at 16x56x56 on all ranks at
// once, without exchange, with the simple and with the overlapped one, in turns, so that all three
// meet the same conditions. Prints one JSON object.
//   mpirun -n 2 exchange_benchmark [rounds] [batch]
#include "model/network.hpp"
#include "training/gradient_averager.hpp"
#include "training/optimization.hpp"

#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/program.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <ATen/Parallel.h>

namespace edgeloop {
namespace {

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

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
        (void)averager_.finish(own);
        optimizer_->step();
        seconds_.push_back(steady_seconds() - start);
    }
    void forget() { seconds_.clear(); }
    [[nodiscard]] double median_seconds() const { return median(seconds_); }

  private:
    std::shared_ptr<Network> network_;
    std::unique_ptr<torch::optim::Optimizer> optimizer_;
    GradientAverager averager_;
    torch::Tensor clips_, targets_;
    std::vector<double> seconds_;
};

int benchmark(int argc, char** argv, const Communicator& world) {
    at::set_num_threads(1);
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 10;
    const std::int64_t batch = argc > 2 ? std::atoi(argv[2]) : 4;
    Json json = ArchitectureSpec::from_file("human").to_json();
    json["clip"]["side"] = 56;
    const ArchitectureSpec spec = ArchitectureSpec::from_json(json, "human");

    Contestant none(spec, Communicator(), GradientExchange::simple, batch);
    Contestant simple(spec, world, GradientExchange::simple, batch);
    Contestant overlapped(spec, world, GradientExchange::overlapped, batch);
    for (int round = -1; round < rounds; ++round) {
        for (Contestant* contestant : {&none, &simple, &overlapped}) {
            world.barrier();
            contestant->step();
            if (round < 0) contestant->forget();
        }
    }
    const double alone = world.all_reduce(none.median_seconds(), Reduction::max);
    const double after = world.all_reduce(simple.median_seconds(), Reduction::max);
    const double during = world.all_reduce(overlapped.median_seconds(), Reduction::max);
    const Json result = {{"ranks", world.size()},
                         {"batch_per_rank", batch},
                         {"rounds", rounds},
                         {"step_s_without_exchange", alone},
                         {"step_s_simple", after},
                         {"step_s_overlapped", during},
                         {"samples_per_s", double(batch) * world.size() / during},
                         {"efficiency_simple", alone / after},
                         {"efficiency_overlapped", alone / during},
                         {"communication_hidden", 1 - (during - alone) / (after - alone)}};
    if (world.rank() == 0) std::printf("%s\n", result.dump(2).c_str());
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program(
        [&] {
            const edgeloop::MpiSession session(argc, argv);
            return edgeloop::benchmark(argc, argv, session.world());
        },
        edgeloop::MpiSession::abort);
}
