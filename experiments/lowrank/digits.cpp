// A classifier 784-512-10 of handwritten digits: dense, and with both layers in tensor form whose
// ranks start at 20 and adapt.
#include "study.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/model/threads.hpp"

#include <array>
#include <cstdlib>
#include <functional>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

constexpr int pixels = 784, hidden = 512, classes = 10, batch = 64;
constexpr int epochs = 60, adaptive_epochs = 30;
constexpr double dense_rate = 2e-3, factored_rate = 5e-3, strength = 1.5;
/// Of the two layers: a hundredth of the dense one at most.
constexpr std::array<int, 2> tt_targets{8, 5}, ttm_targets{4, 10};

struct Digits {
    torch::Tensor train_x, train_y, test_x, test_y;
};

/// A byte for the class of each digit, then its 28 x 28 pixels. Every fifth is of the test part.
Digits digits_in(const std::string& file) {
    const std::string bytes = read_file(file);
    const auto count = static_cast<std::int64_t>(bytes.size()) / (pixels + 1);
    std::vector<float> x[2];
    std::vector<std::int64_t> y[2];
    for (std::int64_t i = 0; i < count; ++i) {
        const int part = i % 5 == 0 ? 1 : 0;
        const auto* const digit =
            reinterpret_cast<const unsigned char*>(bytes.data()) + i * (pixels + 1);
        y[part].push_back(digit[0]);
        for (int p = 1; p <= pixels; ++p) x[part].push_back(static_cast<float>(digit[p]) / 255);
    }
    return {torch::tensor(x[0]).reshape({-1, pixels}), torch::tensor(y[0]),
            torch::tensor(x[1]).reshape({-1, pixels}), torch::tensor(y[1])};
}

std::int64_t parameters_of(const torch::nn::Module& network) {
    std::int64_t sum = 0;
    for (const torch::Tensor& parameter : network.parameters()) sum += parameter.numel();
    return sum;
}

using Forward = std::function<torch::Tensor(const torch::Tensor&)>;

double accuracy(const Forward& forward, const Digits& digits) {
    const torch::NoGradGuard no_grad;
    return (forward(digits.test_x).argmax(1) == digits.test_y)
        .to(torch::kDouble)
        .mean()
        .item<double>();
}

void train(const torch::nn::Module& network, const Forward& forward, const Digits& digits,
           double rate, int from, int to, RankAdaptation* adaptation) {
    const auto optimiser = study::optimiser_of(network, rate);
    const std::int64_t samples = digits.train_x.size(0), steps = samples / batch;
    for (int epoch = from; epoch < to; ++epoch) {
        const double now = rate * 0.5 * (1 + std::cos(std::acos(-1.0) * epoch / epochs));
        for (std::size_t g = 0; g < optimiser->param_groups().size(); ++g)
            optimiser->param_groups()[g].options().set_lr(g == 0 ? now : scale_rate * now);
        const torch::Tensor order = torch::randperm(samples);
        for (std::int64_t step = 0; step < steps; ++step) {
            const torch::Tensor rows = order.slice(0, step * batch, (step + 1) * batch);
            optimiser->zero_grad();
            const torch::Tensor loss =
                torch::nn::functional::cross_entropy(forward(digits.train_x.index_select(0, rows)),
                                                     digits.train_y.index_select(0, rows));
            if (adaptation != nullptr)
                adaptation->before_step((epoch + double(step) / double(steps)) / adaptive_epochs,
                                        loss.item<double>());
            (adaptation != nullptr ? loss * adaptation->loss_factor() : loss).backward();
            optimiser->step();
            if (adaptation != nullptr) adaptation->after_step(now);
        }
    }
}

struct Result {
    double accuracy = 0;
    std::int64_t parameters = 0;
    std::string ranks;
};

Result train_dense(const Digits& digits) {
    torch::nn::Sequential network(torch::nn::Linear(pixels, hidden), torch::nn::ReLU(),
                                  torch::nn::Linear(hidden, classes));
    const Forward forward = [&](const torch::Tensor& x) { return network->forward(x); };
    train(*network, forward, digits, dense_rate, 0, epochs, nullptr);
    return {accuracy(forward, digits), parameters_of(*network), "-"};
}

/// @param targets  sizes to reach, of each layer; as rank_target.
Result train_factored(const Digits& digits, const std::string& format,
                      const std::string& adaptation, const std::array<int, 2>& targets) {
    constexpr int most = 20;
    const TensorLayer shapes[]{{"first", 0, true, pixels, hidden},
                               {"second", 1, true, hidden, classes}};
    torch::nn::Module network;
    std::vector<TensorLinear> layers;
    std::vector<FactoredModule*> open;
    for (const TensorLayer& shape : shapes) {
        layers.push_back(network.register_module(
            shape.name,
            TensorLinear(FactoredLayer{shape, format, max_ranks(format, shape, most)})));
        study::fill(*layers.back(), std::sqrt(2.0 / shape.inputs));
        open.push_back(layers.back().get());
    }
    const Forward forward = [&](const torch::Tensor& x) {
        return layers[1]->forward(torch::relu(layers[0]->forward(x)));
    };
    LowRank low_rank;
    low_rank.adaptation = adaptation;
    low_rank.strength = strength;
    low_rank.stages = {{format, most, targets[0], {}}, {format, most, targets[1], {}}};
    RankAdaptation ranks(low_rank, open);
    train(network, forward, digits, factored_rate, 0, adaptive_epochs, &ranks);
    const std::vector<CanonicalForm> forms = ranks.choose();
    torch::nn::Module small;
    Result result;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        layers[i] = small.register_module(shapes[i].name, study::shrunk(*layers[i], forms[i]));
        result.ranks +=
            fmt::format("{}{}", i == 0 ? "" : "; ", fmt::join(layers[i]->layer().ranks, " "));
    }
    train(small, forward, digits, factored_rate, adaptive_epochs, epochs, nullptr);
    result.accuracy = accuracy(forward, digits);
    result.parameters = parameters_of(small);
    return result;
}

void run(const std::string& file, int seeds) {
    set_compute_threads(1);
    const Digits digits = digits_in(file);
    fmt::print(
        "{} digits to train, {} to test\n\n| network | seed | test accuracy % | parameters | "
        "smaller | final ranks |\n| --- | --- | --- | --- | --- | --- |\n",
        digits.train_x.size(0), digits.test_x.size(0));
    for (int seed = 1; seed <= seeds; ++seed) {
        torch::manual_seed(static_cast<std::uint64_t>(seed));
        const Result dense = train_dense(digits);
        const auto say = [&](const std::string& name, const Result& result) {
            fmt::print("| {} | {} | {:.2f} | {} | {:.1f} | {} |\n", name, seed,
                       100 * result.accuracy, result.parameters,
                       double(dense.parameters) / double(result.parameters), result.ranks);
            std::fflush(stdout);
        };
        say("dense", dense);
        for (const std::string format : {"tt", "ttm"})
            for (const char* adaptation : {"diagonal", "log-uniform"}) {
                torch::manual_seed(static_cast<std::uint64_t>(seed));
                say(fmt::format("{} {}", format, adaptation),
                    train_factored(digits, format, adaptation,
                                   format == "tt" ? tt_targets : ttm_targets));
            }
    }
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    edgeloop::run(argv[1], argc > 2 ? std::atoi(argv[2]) : 3);
}
