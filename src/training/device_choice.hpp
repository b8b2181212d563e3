#pragma once

#include "edgeloop/training/trainer.hpp"

#include <string>
#include <vector>

#include <torch/types.h>

namespace edgeloop {

/// The device of this rank: for CUDA the one its rank on the node selects. @throws ConfigError CUDA
/// is asked for and there is none.
[[nodiscard]] torch::Device choose_device(Device wanted);

/// What networks on this device run. @throws ConfigError  it has no such kernels.
[[nodiscard]] Kernels kernels_for(const TrainingSettings& settings, torch::Device device);

/// The device of this rank when the settings fit it. @throws ConfigError  they do not: see the
/// constructor of Trainer.
[[nodiscard]] torch::Device checked_device(const TrainingSettings& settings);

/// What a rank sees.
struct RankDevice {
    bool trains = false;
    bool has_cuda = false;
    std::string host;
    std::string model = "CPU";  ///< of its CUDA device, if it has one
};

/// What agree_on_devices() makes of what all ranks see.
[[nodiscard]] TrainingDevices decide_devices(const TrainingSettings& settings,
                                             const std::vector<RankDevice>& ranks);

}  // namespace edgeloop
