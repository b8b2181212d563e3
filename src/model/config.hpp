#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"

#include <array>
#include <string>
#include <vector>

namespace edgeloop {

/// Lengths along time, height and width.
using Extent3 = std::array<int, 3>;

/// Video Swin transformer. Key names in `architecture` equal the member names.
struct Swin3dConfig {
    Extent3 patch{2, 4, 4};
    int embed_dim = 96;
    std::vector<int> depths;  ///< blocks of each stage
    std::vector<int> heads;   ///< same length
    Extent3 window{8, 7, 7};
    double mlp_ratio = 4;
    std::array<int, 2> head_hidden{400, 200};
    double drop_path = 0.3;  ///< of the last block; rises linearly from 0
    double dropout = 0.5;    ///< before the head

    /// Channels of a stage.
    [[nodiscard]] int width(std::size_t stage) const { return embed_dim << stage; }
    /// Hidden width of a stage's MLPs.
    [[nodiscard]] int mlp_width(std::size_t stage) const {
        return static_cast<int>(width(stage) * mlp_ratio);
    }
};

/// Plain 3-D convolutional network: (convolution, norm, ReLU, max-pool) per stage, then a
/// multi-layer perceptron.
struct Cnn3dConfig {
    struct Stage {
        int channels = 0;
        Extent3 kernel{3, 3, 3};
        Extent3 pool{1, 1, 1};
    };
    enum class Norm { none, group };
    enum class Reduce { mean, flatten };

    std::vector<Stage> stages;
    std::vector<int> hidden;
    Norm norm = Norm::group;
    Reduce reduce = Reduce::mean;
    double dropout = 0;
};

/// Inverted residuals with depthwise 3-D convolutions, in the manner of X3D and MoViNet.
struct Mbconv3dConfig {
    struct Stage {
        int channels = 0;
        double expansion = 4;
        Extent3 kernel{3, 3, 3};
        Extent3 stride{1, 1, 1};
        int repeats = 1;
        double squeeze = 0;  ///< squeeze-excitation width over expanded width; 0: none
    };
    int stem = 16;
    std::vector<Stage> stages;
    int head = 128;
    double dropout = 0;
};

/// Read `spec.architecture` of the family; missing optional keys take the defaults above.
/// @throws ConfigError  unknown key, wrong type, value out of range or lengths that differ, with
///                      its place.
[[nodiscard]] Swin3dConfig swin3d_config(const ArchitectureSpec& spec);
[[nodiscard]] Cnn3dConfig cnn3d_config(const ArchitectureSpec& spec);
[[nodiscard]] Mbconv3dConfig mbconv3d_config(const ArchitectureSpec& spec);

/// Groups of a GroupNorm over `channels`: the largest divisor of channels that is at most 8.
[[nodiscard]] int norm_groups(int channels);

/// Expanded width of an inverted residual and width of its squeeze (at least 1).
[[nodiscard]] int expanded_width(int channels, double expansion);
[[nodiscard]] int squeeze_width(int expanded, double squeeze);

}  // namespace edgeloop
