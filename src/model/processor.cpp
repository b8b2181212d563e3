#include "model/processor.hpp"

#include "edgeloop/core/error.hpp"

#include <torch/cuda.h>

namespace edgeloop {

torch::Device device_of(Processor processor) {
    if (processor == Processor::cpu) return torch::kCPU;
    if (!torch::cuda::is_available())
        throw ConfigError("LibTorch finds no CUDA processor on this device");
    return torch::kCUDA;
}

void wait_for(torch::Device device) {
    if (device.is_cuda()) torch::cuda::synchronize();
}

}  // namespace edgeloop
