#include "deploy/file_comparison.hpp"

#include "model/layer_observer.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <torch/torch.h>

namespace edgeloop {
namespace {

/// As many windows as a batch has, the last one again where there are too few.
torch::Tensor filled_up(const torch::Tensor& input, std::int64_t batch) {
    const std::int64_t missing = batch - input.size(0);
    if (missing <= 0) return input;
    std::vector<std::int64_t> sizes = input.sizes().vec();
    sizes.front() = missing;
    return torch::cat({input, input.narrow(0, input.size(0) - 1, 1).expand(sizes)});
}

template <class Run>
torch::Tensor in_batches(const Crops& crops, int batch, const Run& run) {
    std::vector<torch::Tensor> parts;
    for (std::size_t begin = 0; begin < crops.count; begin += static_cast<std::size_t>(batch))
        parts.push_back(run(begin, std::min(static_cast<std::size_t>(batch), crops.count - begin)));
    return torch::cat(parts);
}

}  // namespace

torch::Tensor run_file(const FileRunner& run, const ExportedNetwork& network, const Crops& crops,
                       int batch) {
    return in_batches(crops, batch, [&](std::size_t begin, std::size_t count) {
        return run(filled_up(network.input(crops, begin, count), batch))
            .front()
            .narrow(0, 0, static_cast<std::int64_t>(count));
    });
}

torch::Tensor run_trained(const ExportedNetwork& network, const Crops& crops, int batch) {
    return in_batches(crops, batch, [&](std::size_t begin, std::size_t count) {
        return network.expected(crops, begin, count);
    });
}

torch::Tensor differences(const torch::Tensor& values, const torch::Tensor& expected) {
    const torch::Tensor allowed =
        expected.abs() * float_relative_tolerance + float_absolute_tolerance;
    return (values - expected).abs() / allowed;
}

std::string first_different_layer(const FileRunner& run, const ExportedNetwork& network,
                                  const Crops& crops, std::size_t window) {
    const torch::NoGradGuard no_grad;
    std::vector<std::pair<std::string, torch::Tensor>> layers;
    {
        const LayerObserver observer([&](const std::string& name, const torch::Tensor& result) {
            layers.emplace_back(name, result.clone());
        });
        static_cast<void>(network.expected(crops, window, 1));
    }
    const std::vector<torch::Tensor> found = run(network.input(crops, window, 1));
    for (std::size_t i = 0; i < layers.size() && i + 1 < found.size(); ++i) {
        const torch::Tensor& expected = layers[i].second;
        const double allowed = float_absolute_tolerance +
                               float_relative_tolerance * expected.abs().max().item<double>();
        const double difference = (found[i + 1] - expected).abs().max().item<double>();
        if (!(difference <= allowed)) return layers[i].first;
    }
    return "output";
}

}  // namespace edgeloop
