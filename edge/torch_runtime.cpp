#include "model/network.hpp"
#include "model/processor.hpp"
#include "model/torch_error.hpp"
#include "model/traced_network.hpp"
#include "model/weights_file.hpp"
#include "runtime.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/model/threads.hpp"

#include <optional>
#include <string_view>

#include <torch/script.h>
#include <torch/torch.h>

namespace edgeloop {
namespace {

/// First line of a c10 message: the rest is a stack trace.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

class TorchRuntime final : public Runtime {
  public:
    TorchRuntime(const ArchitectureSpec& spec, const MeasurementSettings& settings)
        : clip_(spec.clip),
          device_(device_of(settings.processor == "cpu" ? Processor::cpu : Processor::cuda)) {
        network_ = trained_network(spec, settings.weights);
        network_->to(device_);
        // The fused kernels are for the CPU and are not traced.
        if (settings.runtime == "torchscript")
            network_->set_kernels(Kernels::exported);
        else if (device_.is_cuda())
            network_->set_kernels(Kernels::library);
        scripted_ = settings.runtime == "torchscript";
        if (scripted_ && !device_.is_cuda()) run_scripts_unprofiled();
    }

    void prepare(int batch) override {
        with_bad_alloc([&] {
            clips_ = torch::randn({batch, 1, clip_.frames, clip_.side, clip_.side});
            inputs_ = {clips_.to(device_)};
            // Windows are part of the batch dimension inside: each batch size is a graph of its
            // own.
            if (scripted_) script_ = traced_network(network_, inputs_.front().toTensor());
        });
    }

    [[nodiscard]] float* clips() override { return clips_.data_ptr<float>(); }
    void take_clips() override {
        if (device_.is_cpu()) return;  // they are the input
        with_bad_alloc([this] { inputs_.front().toTensor().copy_(clips_); });
        wait_for(device_);
    }

    void run() override {
        with_bad_alloc([this] { infer(); });
    }

    [[nodiscard]] Metrics facts() const override {
        double count = 0, bytes = 0;
        for (const torch::Tensor& parameter : network_->parameters()) {
            count += static_cast<double>(parameter.numel());
            bytes += static_cast<double>(parameter.nbytes());
        }
        return {{"parameters", count}, {"model_size_mib", bytes / bytes_per_mib}};
    }

  private:
    void infer() {
        const torch::InferenceMode inference;
        const torch::Tensor& input = inputs_.front().toTensor();
        output_ = script_ ? script_->forward(inputs_).toTensor() : network_->forward(input);
        wait_for(device_);
    }

    ClipShape clip_;
    torch::Device device_;
    std::shared_ptr<Network> network_;
    std::optional<torch::jit::Module> script_;
    torch::Tensor clips_;  ///< on the CPU, where they are the input itself
    std::vector<torch::jit::IValue> inputs_;
    torch::Tensor output_;
    bool scripted_ = false;
};

std::unique_ptr<Runtime> make_torch_runtime(const Json& spec, const MeasurementSettings& settings) {
    try {
        const torch::NoGradGuard no_grad;
        return with_bad_alloc([&]() -> std::unique_ptr<Runtime> {
            return std::make_unique<TorchRuntime>(network_of(spec), settings);
        });
    } catch (const c10::Error& error) {
        const char* const problem = "LibTorch cannot build this network";
        // Without a GPU and weights of the device nothing but the network is left.
        if (settings.processor == "cpu" && settings.weights.empty())
            throw NetworkError(problem, first_line(error.what()));
        throw ConfigError(problem, first_line(error.what()));
    }
}

void describe_torch(Json& record) {
    record.update({{"name", "libtorch"},
                   {"version", TORCH_VERSION},
                   {"mkldnn", at::hasMKLDNN()},
                   {"mkl", at::hasMKL()},
                   {"openmp", at::hasOpenMP()},
                   {"cuda", torch::cuda::is_available()}});
}

// Once and nowhere else: LibTorch makes a new pool each time that the number of threads is set, and
// waits for ever for threads that it could not start.
void prepare_torch(const MeasurementSettings& settings) { start_compute_threads(settings.threads); }

const bool torch_added = add_runtimes({{"eager", "torchscript"},
                                       make_torch_runtime,
                                       describe_torch,
                                       prepare_torch,
                                       restart_with_short_spinning});

}  // namespace

}  // namespace edgeloop
