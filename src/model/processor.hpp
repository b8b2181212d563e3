#pragma once

#include "edgeloop/model/processor.hpp"

#include <torch/types.h>

namespace edgeloop {

/// LibTorch's name of it. @throws ConfigError  LibTorch finds none.
[[nodiscard]] torch::Device device_of(Processor processor);

/// Waits until the device has computed all that it was given. Devices work on while the program
/// goes ahead.
void wait_for(torch::Device device);

}  // namespace edgeloop
