#include "model/mixed_precision.hpp"

#include <ATen/autocast_mode.h>
#include <torch/version.h>

namespace edgeloop {
namespace {

// LibTorch 2.4 gave all devices one interface; before, each has functions of its own.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)

bool is_enabled(torch::DeviceType device) { return at::autocast::is_autocast_enabled(device); }
void set_enabled(torch::DeviceType device, bool on) {
    at::autocast::set_autocast_enabled(device, on);
}
torch::ScalarType type_of(torch::DeviceType device) {
    return at::autocast::get_autocast_dtype(device);
}
void set_type(torch::DeviceType device, torch::ScalarType type) {
    at::autocast::set_autocast_dtype(device, type);
}

#else

bool is_enabled(torch::DeviceType device) {
    return device == torch::kCPU ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
}
void set_enabled(torch::DeviceType device, bool on) {
    if (device == torch::kCPU)
        at::autocast::set_cpu_enabled(on);
    else
        at::autocast::set_enabled(on);
}
torch::ScalarType type_of(torch::DeviceType device) {
    return device == torch::kCPU ? at::autocast::get_autocast_cpu_dtype()
                                 : at::autocast::get_autocast_gpu_dtype();
}
void set_type(torch::DeviceType device, torch::ScalarType type) {
    if (device == torch::kCPU)
        at::autocast::set_autocast_cpu_dtype(type);
    else
        at::autocast::set_autocast_gpu_dtype(type);
}

#endif

}  // namespace

MixedPrecision::MixedPrecision(torch::DeviceType device, bool wanted)
    : device_(device), wanted_(wanted) {
    if (!wanted_) return;
    before_ = is_enabled(device_);
    type_before_ = type_of(device_);
    set_type(device_, torch::kBFloat16);
    set_enabled(device_, true);
}

MixedPrecision::~MixedPrecision() {
    if (!wanted_) return;
    set_enabled(device_, before_);
    set_type(device_, type_before_);
    // Weights in bfloat16 are kept meanwhile; those of the next step are others.
    if (!before_) at::autocast::clear_cache();
}

torch::ScalarType compute_type(const torch::Tensor& x) {
    const torch::DeviceType device = x.device().type();
    const bool has_own = device == torch::kCPU || device == torch::kCUDA;
    const bool may_change = x.is_floating_point() && x.scalar_type() != torch::kDouble;
    return has_own && may_change && is_enabled(device) ? type_of(device) : x.scalar_type();
}

}  // namespace edgeloop
