#pragma once

#include "inference/kernels/kernels.hpp"
#include "inference/packing.hpp"
#include "inference/place.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace edgeloop::inference {

/// Positions of time of a result that a pass computes: all, or [0, head) and [tail, end).
struct Times {
    int head = 0, tail = 0;
    [[nodiscard]] bool has(std::int64_t t) const { return t < head || t >= tail; }
};

/// One pass over memory of a plan: tasks that may run at once, in any order, and give the same
/// whoever runs them.
class Step {
  public:
    virtual ~Step() = default;
    [[nodiscard]] virtual int tasks() const = 0;
    /// Memory of its own that a task needs, in bytes.
    [[nodiscard]] virtual std::size_t scratch_bytes() const { return 0; }
    /// @param scratch  aligned, with slack; not initialised.
    /// @param times  that are needed; what lies at the others is left there. A step that looks at
    /// all of time computes all.
    virtual void run(int task, std::byte* scratch, const Times& times) const = 0;

    Times fresh;  ///< that a clip needs which is the last one moved on (reuse.hpp)
};
using Steps = std::vector<std::unique_ptr<Step>>;

/// Mean and sum of squared distances from it, of each channel over the rows of one task.
struct Moments {
    std::vector<std::int64_t> positions;  ///< of each task
    std::vector<double> means, squares;   ///< (tasks, channels)
    int channels = 0;

    void set(int tasks, int channel_count);
};

/// Takes the moments of rows of neighbouring positions.
class MomentTaker {
  public:
    MomentTaker(const Kernels& kernels, Moments& moments, int task, int row_positions,
                std::byte* scratch);
    [[nodiscard]] static std::size_t scratch_bytes(int row_positions, int channels);
    void take(const float* row, int positions);
    /// Writes what was taken.
    void finish();

  private:
    const Kernels& kernels_;
    Moments& moments_;
    int task_, row_positions_;
    float *origin_, *sums_, *squares_;
    std::int64_t count_ = 0;
};

/// A convolution, depthwise convolution or linear layer with what is fused into it.
struct ConvolutionSettings {
    PackedConvolution packed;
    Place input, output;
    Triple stride{1, 1, 1}, before{0, 0, 0};
    Triple pool{1, 1, 1};
    bool is_relu = false;
    int high = 0;  ///< of integer results; 0: float
    const Place* residual = nullptr;
    Moments* moments = nullptr;  ///< of the results, for a norm that follows
    // Where Form::bits, or a window's sum is needed, or inputs are widened:
    const std::byte* prepared = nullptr;  ///< widened input or planes of bits
    std::ptrdiff_t input_plane = 0;       ///< bytes
    const std::int32_t* row_sums = nullptr;
    int least_tasks = 1;  ///< that the rows are shared out to, where there are as many
};
[[nodiscard]] std::unique_ptr<Step> convolution_step(const Kernels& kernels,
                                                     ConvolutionSettings settings);

/// What integer kernels need of a tensor besides its bytes.
struct PreparationSettings {
    Place input;
    std::int16_t* wide = nullptr;  ///< of the padded tensor
    std::uint8_t* planes = nullptr;
    std::ptrdiff_t plane_step = 0;     ///< bytes
    std::int32_t* row_sums = nullptr;  ///< over `window` positions and all channels from each on
    int window = 1;
};
[[nodiscard]] std::unique_ptr<Step> preparation_step(const Kernels& kernels,
                                                     PreparationSettings settings);

/// Group norm, its activation, an addition, a max-pool.
struct NormSettings {
    const Layer* layer = nullptr;
    Place input, output;
    const Place* addend = nullptr;
    bool adds_relu = false;  ///< of the sum
    Triple pool{1, 1, 1};
    std::shared_ptr<Moments> moments;
    bool takes_moments = false;  ///< no convolution took them
};
void add_norm_steps(Steps& steps, const Kernels& kernels, NormSettings settings);

/// Steps of all other layers.
void add_mean_steps(Steps& steps, const Kernels& kernels, const Layer& layer, const Place& input,
                    const Place& output);
[[nodiscard]] std::unique_ptr<Step> rows_step(const Kernels& kernels, const Layer& layer,
                                              const Place& input, const Place* second,
                                              const Place& output);

/// Maximum over windows of rows, from a row of windows to a row of results.
class RowPool {
  public:
    RowPool(const Kernels& kernels, const Place& output, const Triple& pool)
        : kernels_(kernels), output_(output), pool_(pool) {}
    /// Positions of a row that are pooled.
    [[nodiscard]] int positions() const { return output_.shape.grid[2] * pool_[2]; }
    [[nodiscard]] int rows() const { return pool_[0] * pool_[1]; }
    [[nodiscard]] std::size_t row_bytes() const;
    /// @param rows  rows() of them, row_bytes() apart, of positions(); the first is overwritten.
    /// @param scratch  row_bytes().
    void run(std::byte* rows, int t, int h, std::byte* scratch) const;

  private:
    const Kernels& kernels_;
    const Place& output_;
    Triple pool_;
};

}  // namespace edgeloop::inference
