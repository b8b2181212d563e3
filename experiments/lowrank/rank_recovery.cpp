// Are the ranks of a teacher found? Data of a linear layer in tt with known ranks, and a layer that
// starts with larger ones.
#include "study.hpp"

#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/model/threads.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

constexpr int inputs = 36, outputs = 49, samples = 4000, batch = 50, most = 10, largest = 5;
constexpr double noise = 0.3, rate = 3e-3;
constexpr int adaptive_epochs = 30, epochs = 45;

struct Data {
    torch::Tensor x, y, test_x, test_y;
};

Data data_of(const TensorLinear& teacher) {
    const torch::NoGradGuard no_grad;
    Data data;
    data.x = torch::randn({samples, inputs});
    data.test_x = torch::randn({samples, inputs});
    data.y = teacher->forward(data.x);
    data.test_y = teacher->forward(data.test_x);
    const double deviation = data.y.std().item<double>();
    data.y = data.y / deviation + noise * torch::randn_like(data.y);
    data.test_y = data.test_y / deviation + noise * torch::randn_like(data.test_y);
    return data;
}

double train_epochs(TensorLinear& layer, const Data& data, int from, int to,
                    RankAdaptation* adaptation) {
    const auto optimiser = study::optimiser_of(*layer, rate);
    const int steps = samples / batch;
    for (int epoch = from; epoch < to; ++epoch) {
        const torch::Tensor order = torch::randperm(samples);
        for (int step = 0; step < steps; ++step) {
            const torch::Tensor rows = order.slice(0, step * batch, (step + 1) * batch);
            optimiser->zero_grad();
            const torch::Tensor loss =
                (layer->forward(data.x.index_select(0, rows)) - data.y.index_select(0, rows))
                    .square()
                    .mean();
            loss.backward();
            if (adaptation != nullptr)
                adaptation->before_step((epoch + (step + 0.5) / steps) / adaptive_epochs,
                                        loss.item<double>());
            optimiser->step();
            if (adaptation != nullptr) adaptation->after_step(rate);
        }
    }
    const torch::NoGradGuard no_grad;
    return (layer->forward(data.test_x) - data.test_y).square().mean().sqrt().item<double>();
}

/// With weights to begin with.
TensorLinear layer_with(const Ranks& ranks) {
    const TensorLayer shape{"layer", 0, true, inputs, outputs};
    TensorLinear layer(FactoredLayer{shape, "tt", ranks});
    study::fill(*layer, 1 / std::sqrt(inputs));
    return layer;
}

struct Found {
    Ranks ranks;
    double error = 0;
};

Found find(const Data& data, const std::string& adaptation, double strength) {
    const TensorLayer shape{"layer", 0, true, inputs, outputs};
    TensorLinear layer = layer_with(max_ranks("tt", shape, most));
    LowRank low_rank;
    low_rank.adaptation = adaptation;
    low_rank.strength = strength;
    low_rank.stages = {{"tt", most, 0, {}}};
    RankAdaptation ranks(low_rank, {layer.get()});
    (void)train_epochs(layer, data, 0, adaptive_epochs, &ranks);
    TensorLinear small = study::shrunk(*layer, ranks.choose().front());
    Found found;
    found.error = train_epochs(small, data, adaptive_epochs, epochs, nullptr);
    found.ranks = small->layer().ranks;
    return found;
}

double oracle_error(const Data& data, const Ranks& ranks) {
    TensorLinear layer = layer_with(ranks);
    return train_epochs(layer, data, 0, epochs, nullptr);
}

void run(int seeds, double strength) {
    set_compute_threads(1);
    fmt::print(
        "| seed | teacher | method | found | error over oracle's |\n"
        "| --- | --- | --- | --- | --- |\n");
    std::map<std::string, int> within, close;
    const std::vector<std::string> methods{"diagonal", "log-uniform", "half-cauchy"};
    for (int seed = 0; seed < seeds; ++seed) {
        RandomStream random(static_cast<std::uint64_t>(seed), "teacher");
        Ranks ranks;
        for (int bond = 0; bond < 3; ++bond)
            ranks.push_back(1 + static_cast<int>(random.uniform() * largest));
        ranks[1] = std::min({ranks[1], ranks[0] * 6, ranks[2] * 7});
        torch::manual_seed(static_cast<std::uint64_t>(seed));
        const Data data = data_of(layer_with(ranks));
        const double oracle = oracle_error(data, ranks);
        for (const std::string& method : methods) {
            const Found found = find(data, method, strength);
            bool all = true;
            for (std::size_t b = 0; b < ranks.size(); ++b)
                all = all && std::abs(found.ranks[b] - ranks[b]) <= 1;
            within[method] += all ? 1 : 0;
            close[method] += found.error <= 1.03 * oracle ? 1 : 0;
            fmt::print("| {} | {} | {} | {} | {:.4f} |\n", seed, fmt::join(ranks, " "), method,
                       fmt::join(found.ranks, " "), found.error / oracle);
            std::fflush(stdout);
        }
    }
    for (const std::string& method : methods)
        fmt::print("{}: all ranks within 1 of the teacher's in {} of {}, error within 3 % in {}\n",
                   method, within[method], seeds, close[method]);
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    edgeloop::run(argc > 1 ? std::atoi(argv[1]) : 20, argc > 2 ? std::atof(argv[2]) : 1);
}
