#pragma once

#include <torch/types.h>

namespace edgeloop {

/// While it lives, operations on this kind of device that gain from it compute in bfloat16, whose
/// range needs no scaling of the loss: what torch.autocast(device, dtype=torch.bfloat16) does.
/// Weights stay float32. Ends with what held before.
class MixedPrecision {
  public:
    /// @param wanted  false: nothing changes.
    MixedPrecision(torch::DeviceType device, bool wanted);
    ~MixedPrecision();
    MixedPrecision(const MixedPrecision&) = delete;
    MixedPrecision& operator=(const MixedPrecision&) = delete;

  private:
    torch::DeviceType device_;
    bool wanted_;
    bool before_ = false;
    torch::ScalarType type_before_ = torch::kFloat;
};

/// The type in which matrix products of `x` are computed here and now: bfloat16 under mixed
/// precision, else its own.
[[nodiscard]] torch::ScalarType compute_type(const torch::Tensor& x);

}  // namespace edgeloop
