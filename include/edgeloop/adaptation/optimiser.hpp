#pragma once

#include "edgeloop/core/random_stream.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgeloop::adaptation {

enum class Method : std::uint8_t {
    sgd,   ///< with momentum
    adam,  ///< Kingma and Ba, arXiv 1412.6980
};

struct OptimiserOptions {
    Method method = Method::adam;
    double momentum = 0.9;  ///< of sgd; of adam's first moment
    double second = 0.99;   ///< of adam's second moment
    double epsilon = 1e-8;
    std::uint64_t seed = 1;
};

/// Numbers of 8 bits each, in blocks of block_size with one scale: value = scale sign (code / n)^2
/// with n = 127 (signed) or 255. The square leaves 1/n of the largest of a block a resolution of
/// its own, where an even grid would take a block's small numbers for 0. A number between two codes
/// becomes one of them at random, so that what is smaller than a code adds up.
///
/// Blocks: Dettmers et al., "8-bit optimizers via block-wise quantization", ICLR 2022.
class ByteStates {
  public:
    static constexpr std::size_t block_size = 256;

    /// @param has_sign  else numbers are at least 0, and what is not 0 stays so.
    ByteStates(std::size_t count, bool has_sign);
    [[nodiscard]] std::size_t bytes() const {
        return codes_.size() + scales_.size() * sizeof(float);
    }
    /// @param values  (count of the block).
    void read(std::size_t block, float* values, std::size_t count) const;
    void write(std::size_t block, const float* values, std::size_t count, RandomStream& random);

  private:
    bool has_sign_;
    std::vector<std::uint8_t> codes_;
    std::vector<float> scales_;
};

/// Steps of parameters against their gradients, with states of 8 bits.
class Optimiser {
  public:
    Optimiser(std::size_t parameters, const OptimiserOptions& options);

    /// @param scale  of the gradients, e.g. 1 / clips.
    /// REQUIRES: as many as at the construction.
    void step(std::vector<float>& parameters, const std::vector<float>& gradients, double scale,
              double learning_rate);
    [[nodiscard]] std::size_t bytes() const;

  private:
    OptimiserOptions options_;
    ByteStates first_, second_;
    RandomStream random_;
    std::int64_t steps_ = 0;
};

}  // namespace edgeloop::adaptation
