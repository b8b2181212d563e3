#pragma once

#include "edgeloop/core/error.hpp"
#include "edgeloop/model/processor.hpp"

#include <torch/cuda.h>
#include <torch/types.h>

namespace edgeloop {

/// LibTorch's name of it. @throws ConfigError  LibTorch finds none.
[[nodiscard]] inline torch::Device device_of(Processor processor) {
    if (processor == Processor::cpu) return torch::kCPU;
    if (!torch::cuda::is_available())
        throw ConfigError("LibTorch finds no CUDA processor on this device");
    return torch::kCUDA;
}

/// Waits until the device has computed all that it was given. Devices work on while the program
/// goes ahead.
inline void wait_for(torch::Device device) {
    if (device.is_cuda()) torch::cuda::synchronize();
}

}  // namespace edgeloop
