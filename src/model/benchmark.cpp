#include "edgeloop/model/benchmark.hpp"

#include "model/memory_meter.hpp"
#include "model/mixed_precision.hpp"
#include "model/network.hpp"
#include "model/processor.hpp"
#include "model/torch_error.hpp"
#include "model/traced_network.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/model/threads.hpp"

#include <algorithm>
#include <ctime>
#include <functional>
#include <optional>
#include <vector>

#include <torch/script.h>

namespace edgeloop {
namespace {

constexpr std::int64_t gemm_size = 1536;
constexpr int gemms_ahead = 5;

/// Times of one kind of work, one entry a repetition.
struct Times {
    std::vector<double> wall_ms, cpu_ms;

    void add(const std::function<void()>& body) {
        const std::clock_t cpu_start = std::clock();
        const double start = steady_seconds();
        body();
        wall_ms.push_back((steady_seconds() - start) * 1e3);
        cpu_ms.push_back(static_cast<double>(std::clock() - cpu_start) * 1e3 / CLOCKS_PER_SEC);
    }
};

/// One pass to be timed.
class TimedPass {
  public:
    TimedPass(const ArchitectureSpec& spec, const BenchmarkSettings& settings)
        : network_(make_network(spec, 1)),
          pass_(settings.pass),
          device_(device_of(settings.processor)),
          mixed_(settings.mixed_precision) {
        input_ = torch::rand(settings.input).to(device_);
        target_ = torch::rand({settings.input[0], 2}).to(device_);
        network_->set_kernels(settings.kernels);
        network_->to(device_);
        network_->train(pass_ == Pass::training_step);
        if (!settings.frozen) return;
        // As the agent's runtime "torchscript" has it.
        if (device_.is_cpu()) run_scripts_unprofiled();
        script_ = traced_network(network_, input_);
    }

    void run() {
        if (pass_ == Pass::training_step) {
            network_->zero_grad();
            torch::mse_loss(forward(), target_).backward();
        } else {
            const torch::InferenceMode inference;
            static_cast<void>(forward());
        }
        wait_for(device_);
    }

  private:
    torch::Tensor forward() {
        if (script_) return script_->forward({input_}).toTensor();
        const MixedPrecision mixed(device_.type(), mixed_);
        return network_->forward(input_).to(torch::kFloat);
    }

    std::shared_ptr<Network> network_;
    Pass pass_;
    torch::Device device_;
    bool mixed_;
    torch::Tensor input_, target_;
    std::optional<torch::jit::Module> script_;
};

/// The spec with the clip of the benchmark's input. @throws ConfigError when it has none.
ArchitectureSpec spec_for(ArchitectureSpec spec, const BenchmarkSettings& settings) {
    const auto& input = settings.input;
    if (input[0] < 1 || input[1] != 1 || input[2] < 1 || input[3] < 1 || input[3] != input[4])
        throw ConfigError("the input must have shape BATCHx1xFRAMESxSIDExSIDE");
    if (settings.frozen && (settings.pass == Pass::training_step || settings.mixed_precision ||
                            !is_traceable(settings.kernels)))
        throw ConfigError(
            "only a forward pass of float32 with exported or plain kernels is frozen");
    spec.clip.frames = static_cast<int>(input[2]);
    spec.clip.side = static_cast<int>(input[3]);
    return spec;
}

BenchmarkResult measure(const ArchitectureSpec& spec, const BenchmarkSettings& settings) {
    BenchmarkResult result;
    const int passes = settings.pass == Pass::training_step ? 3 : 1;
    result.flops =
        static_cast<double>(count(spec).flops) * passes * static_cast<double>(settings.input[0]);
    const torch::Device device = device_of(settings.processor);
    const torch::ScalarType type = settings.mixed_precision ? torch::kBFloat16 : torch::kFloat;
    const torch::Tensor a = torch::rand({gemm_size, gemm_size}).to(device, type);
    const torch::Tensor b = torch::rand({gemm_size, gemm_size}).to(device, type);
    torch::Tensor product = torch::empty_like(a);
    const auto multiply = [&] {
        torch::mm_out(product, a, b);
        wait_for(device);
    };

    TimedPass pass(spec, settings);
    pass.run();  // gradients exist afterwards: they count as weights, not as activations
    {
        const MemoryMeter meter;
        pass.run();
        result.peak_bytes = meter.peak_bytes();
    }
    Times pass_times, gemm_times;
    if (settings.back_to_back)
        for (int i = 0; i < gemms_ahead; ++i) gemm_times.add(multiply);
    for (int i = 0; i < settings.warm_up; ++i) {
        pass.run();
        if (!settings.back_to_back) multiply();
    }
    for (int i = 0; i < settings.repetitions; ++i) {
        if (!settings.back_to_back) gemm_times.add(multiply);
        pass_times.add([&] { pass.run(); });
    }
    std::sort(pass_times.wall_ms.begin(), pass_times.wall_ms.end());
    result.median_ms = quantile(pass_times.wall_ms, 0.5);
    result.p90_ms = quantile(pass_times.wall_ms, 0.9);
    result.min_ms = pass_times.wall_ms.front();
    const double gemm_flops = 2.0 * gemm_size * gemm_size * gemm_size;
    const double gemm_ms = median(gemm_times.wall_ms);
    result.gemm_gflop_per_s = gemm_flops / gemm_ms / 1e6;
    result.floor_ms = result.flops / gemm_flops * gemm_ms;
    result.ratio = result.median_ms / result.floor_ms;
    result.cpu_ratio =
        median(pass_times.cpu_ms) / (result.flops / gemm_flops * median(gemm_times.cpu_ms));
    return result;
}

}  // namespace

BenchmarkResult benchmark(const ArchitectureSpec& spec, const BenchmarkSettings& settings) {
    set_compute_threads(settings.threads);
    return translate_torch_errors("benchmark",
                                  [&] { return measure(spec_for(spec, settings), settings); });
}

Json to_json(const BenchmarkResult& result, const BenchmarkSettings& settings) {
    return {{"input", settings.input},
            {"pass", settings.pass == Pass::forward ? "forward" : "training step"},
            {"kernels", to_string(settings.kernels)},
            {"frozen", settings.frozen},
            {"back_to_back", settings.back_to_back},
            {"device", to_string(settings.processor)},
            {"mixed_precision", settings.mixed_precision},
            {"threads", settings.threads},
            {"repetitions", settings.repetitions},
            {"median_ms", result.median_ms},
            {"p90_ms", result.p90_ms},
            {"min_ms", result.min_ms},
            {"flops", result.flops},
            {"gemm_gflop_per_s", result.gemm_gflop_per_s},
            {"floor_ms", result.floor_ms},
            {"ratio_to_floor", result.ratio},
            {"cpu_ratio_to_floor", result.cpu_ratio},
            {"peak_bytes", result.peak_bytes}};
}

}  // namespace edgeloop
