#pragma once

#include "model/network.hpp"

#include "edgeloop/data/target.hpp"

#include <memory>
#include <vector>

namespace edgeloop {

/// A network with what comes before and after it: uint8 crops (B, frames, crop_side, crop_side) go
/// in, physical values (B, targets) come out. Gives what Resizer, the network and the targets'
/// scales give, to rounding.
class CropNetwork final : public Network {
  public:
    /// @param network  of clips; its last layer is changed: the scales become part of it.
    CropNetwork(std::shared_ptr<Network> network, const ClipShape& clip,
                const std::vector<Target>& targets);

    [[nodiscard]] torch::Tensor forward(const torch::Tensor& crops) override;

  private:
    std::shared_ptr<Network> network_;
    ClipShape clip_;
};

}  // namespace edgeloop
