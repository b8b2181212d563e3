// Time and memory of a training step of one convolution, dense and in tensor form: 64 -> 128
// channels, 3 x 3 x 3, on 8 x 20 x 20, Adam.
#include "model/low_rank_convolution.hpp"
#include "model/memory_meter.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/model/threads.hpp"

#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <torch/torch.h>

namespace edgeloop {
namespace {

struct Measured {
    double milliseconds = 0;  ///< median of a step
    double held = 0;          ///< bytes of weights and of the optimiser's state
    double peak = 0;          ///< bytes, with all that a step allocates
};

Measured measure(torch::nn::Module& layer, const torch::Tensor& x,
                 const std::function<torch::Tensor(const torch::Tensor&)>& forward) {
    constexpr int warm_up = 3, steps = 30;
    Measured measured;
    for (const torch::Tensor& parameter : layer.parameters())
        measured.held += 3 * double(parameter.nbytes());  // itself and two moments
    torch::optim::Adam optimiser(layer.parameters(), torch::optim::AdamOptions(1e-4));
    std::vector<double> times;
    const MemoryMeter meter;
    for (int step = 0; step < warm_up + steps; ++step) {
        const double start = steady_seconds();
        optimiser.zero_grad();
        forward(x).square().mean().backward();
        optimiser.step();
        if (step >= warm_up) times.push_back(1e3 * (steady_seconds() - start));
    }
    measured.milliseconds = median(times);
    measured.peak = double(meter.peak_bytes()) + measured.held / 3;
    return measured;
}

void fill(torch::nn::Module& layer) {
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& parameter : layer.parameters()) parameter.normal_(0, 0.05);
}

void run() {
    set_compute_threads(1);
    torch::manual_seed(1);
    const TensorLayer shape{"conv", 0, false, 64, 128, {3, 3, 3}};
    // What the layer before gives: its gradient is part of the step.
    const torch::Tensor x = torch::randn({1, 64, 8, 20, 20}).requires_grad_();
    Conv3d dense(Conv3dOptions{64, 128, {3, 3, 3}});
    fill(*dense);
    const Measured whole =
        measure(*dense, x, [&](const torch::Tensor& in) { return dense->forward(in); });
    constexpr double mib = 1 << 20;
    fmt::print(
        "| format | rank | step ms | faster | weights and optimiser KiB | smaller | peak MiB |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| dense | | {:.2f} | 1 | {:.1f} | 1 | {:.2f} |\n",
        whole.milliseconds, whole.held / 1024, whole.peak / mib);
    for (const char* format : {"tt", "tucker2", "cp"})
        for (const int rank : {8, 16}) {
            ChainConv3d chain(FactoredLayer{shape, format, max_ranks(format, shape, rank)},
                              LinearImpl::Bias::yes);
            fill(*chain);
            const Measured own =
                measure(*chain, x, [&](const torch::Tensor& in) { return chain->forward(in); });
            fmt::print("| {} | {} | {:.2f} | {:.1f} | {:.1f} | {:.1f} | {:.2f} |\n", format, rank,
                       own.milliseconds, whole.milliseconds / own.milliseconds, own.held / 1024,
                       whole.held / own.held, own.peak / mib);
        }
}

}  // namespace
}  // namespace edgeloop

int main() { edgeloop::run(); }
