#include "edgeloop/deploy/predictor.hpp"

#include "model/network.hpp"
#include "model/processor.hpp"
#include "model/torch_error.hpp"
#include "model/weights_file.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/error.hpp"

#include <filesystem>
#include <new>

#include <fmt/format.h>
#include <torch/torch.h>

namespace edgeloop {
namespace {

template <class Body>
auto run_network(const std::string& doing, Body&& body) {
    try {
        return translate_torch_errors(doing, [&] { return with_bad_alloc(body); });
    } catch (const std::bad_alloc&) {
        throw IoError(doing + ": memory ran out", {}, "use a smaller --batch");
    }
}

}  // namespace

struct Predictor::Impl {
    std::shared_ptr<Network> network;
    torch::Device device = torch::kCPU;
    std::size_t outputs = 0;
};

std::uint64_t max_weights_bytes(const ArchitectureSpec& spec) {
    constexpr std::uint64_t header_bytes = 16U << 20U;
    return 2 * static_cast<std::uint64_t>(count(spec).weight_bytes) + header_bytes;
}

void check_weights_size(const ArchitectureSpec& spec, const std::string& file) {
    std::error_code missing;  // whoever reads it says so
    const std::uintmax_t bytes = std::filesystem::file_size(file, missing);
    if (!missing && bytes > max_weights_bytes(spec))
        throw ConfigError(
            fmt::format("'{}' has {} bytes", file, bytes),
            fmt::format("weights of this design have some {} at most", max_weights_bytes(spec)),
            "name the weights that belong to the spec");
}

Predictor::Predictor(const ArchitectureSpec& spec, const std::string& weights_file,
                     std::size_t outputs, Processor processor)
    : spec_(spec), impl_(std::make_unique<Impl>()) {
    check_weights_size(spec, weights_file);
    impl_->device = device_of(processor);
    impl_->outputs = outputs;
    run_network("loading the network", [&] {
        impl_->network = trained_network(spec, weights_file);
        const auto found = static_cast<std::size_t>(impl_->network->output_bias().numel());
        if (found != outputs)
            throw ConfigError(
                fmt::format("the network of '{}' predicts {} targets and the data have {}",
                            weights_file, found, outputs),
                {}, "use data with the targets that it was trained for");
        if (processor == Processor::cuda) impl_->network->set_kernels(Kernels::library);
        impl_->network->to(impl_->device);
    });
}

Predictor::~Predictor() = default;

std::vector<float> Predictor::predict(const float* clips, std::size_t count) const {
    std::vector<float> answers(count * impl_->outputs);
    if (count == 0) return answers;
    run_network("running the network", [&] {
        const torch::NoGradGuard no_grad;
        const std::int64_t side = spec_.clip.side;
        // LibTorch does not take const memory; nothing writes there.
        const torch::Tensor input = torch::from_blob(
            const_cast<float*>(clips), {std::int64_t(count), 1, spec_.clip.frames, side, side});
        const torch::Tensor output =
            impl_->network->forward(input.to(impl_->device)).to(torch::kCPU).contiguous();
        std::copy_n(output.data_ptr<float>(), answers.size(), answers.data());
    });
    return answers;
}

}  // namespace edgeloop
