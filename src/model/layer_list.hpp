#pragma once

#include "model/swin3d_geometry.hpp"

#include "edgeloop/architecture/counts.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// One layer in numbers of elements; what LayerCounts has in bytes.
struct LayerElements {
    std::int64_t parameters = 0;
    std::int64_t flops = 0;
    bool is_convolution = false;
    std::int64_t input = 0;
    std::int64_t output = 0;
    std::int64_t saved = 0;    ///< kept for the backward pass
    std::int64_t working = 0;  ///< alive while it runs in inference
};

/// Collects layers and their totals.
class LayerList {
  public:
    void add(const std::string& name, const std::string& kind, std::vector<std::int64_t> shape,
             const LayerElements& elements);
    [[nodiscard]] ModelCounts total() &&;

  private:
    ModelCounts counts_;
};

/// Counts of a linear layer over `rows` rows, without what it saves and keeps alive.
[[nodiscard]] LayerElements linear_elements(std::int64_t rows, std::int64_t inputs,
                                            std::int64_t outputs, bool with_bias = true);

/// What autograd keeps of the elements that a mean averages: LibTorch 1 all, 2 their shape alone.
[[nodiscard]] std::int64_t kept_by_mean(std::int64_t averaged);

// One counter per family. @throws ConfigError  the spec is not one that can be built.
[[nodiscard]] ModelCounts count_swin3d(const ArchitectureSpec& spec);
[[nodiscard]] ModelCounts count_cnn3d(const ArchitectureSpec& spec);
[[nodiscard]] ModelCounts count_mbconv3d(const ArchitectureSpec& spec);

}  // namespace edgeloop
