#pragma once

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/architecture/grid.hpp"
#include "edgeloop/architecture/low_rank.hpp"
#include "edgeloop/architecture/quantisation.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// One layer in numbers of elements; what LayerCounts has in bytes. Floating point, exact up to
/// 2^53, because ranges allow designs whose counts no integer holds.
struct LayerElements {
    double parameters = 0;
    double flops = 0;
    bool is_convolution = false;
    double input = 0;
    double output = 0;
    double saved = 0;    ///< kept for the backward pass
    double working = 0;  ///< alive while it runs in inference
    double rounded = 0;  ///< kept of rounded or merged weights for the backward pass, once a batch
    Bits bits = float_bits;
    double bits_saved = 0;  ///< by which the deployed model has fewer than 32 a parameter
};

/// Where the input of a quantised layer comes from.
enum class Input { clip, activations };

/// Makes them those of a layer of these bits, with the steps that it learns.
/// @param outputs  channels.
/// @param biases   parameters that are none of the weights.
/// @param input    the step of the clip is given, others are learnt.
void quantise(LayerElements& elements, const Quantisation& quantisation, const Bits& bits,
              double outputs, double biases, Input input = Input::activations);
/// Rounding of activations to a learnt step, in a layer of its own.
[[nodiscard]] LayerElements rounding_elements(double elements);
/// A scale and a shift of each channel, folded into the layer before where that has bits.
[[nodiscard]] LayerElements affine_elements(double positions, int channels, const Bits& before);

/// A linear layer of cores over `rows` rows, without the input that it saves.
[[nodiscard]] LayerElements train_elements(const FactoredLayer& linear, double rows,
                                           bool with_bias = true);

/// Collects layers and their totals: what count() of a family is made of.
class LayerList {
  public:
    void add(const std::string& name, const std::string& kind, std::vector<std::int64_t> shape,
             const LayerElements& elements);
    /// A linear layer of one row, which saves its input.
    /// @param more_saved  besides.
    void add_dense(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                   double more_saved = 0);
    /// The same with bits.
    void add_dense(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                   double more_saved, const Quantisation& quantisation, const Bits& bits);
    /// A linear layer of one row in tensor form.
    void add_dense(const std::string& name, const FactoredLayer& linear, double more_saved);
    /// A convolution in tensor form, link by link, "NAME.0" first; moves the grid on.
    /// @param is_kept  whoever made the input keeps it for its own backward pass.
    void add_chain(const std::string& name, const FactoredLayer& convolution, Grid3& grid,
                   bool is_kept, bool with_bias);
    /// What autograd keeps of the elements that a mean averages, to be added to what a layer saves.
    [[nodiscard]] double kept_by_mean(double averaged);
    [[nodiscard]] ModelCounts total() &&;

  private:
    ModelCounts counts_;
    LayerElements sum_;
    double convolution_flops_ = 0, mean_input_ = 0, model_bits_ = 0, bit_operations_ = 0;
};

/// Counts of a linear layer over `rows` rows, without what it saves.
[[nodiscard]] LayerElements linear_elements(double rows, double inputs, double outputs,
                                            bool with_bias = true);
/// An operation that keeps the number of elements.
[[nodiscard]] LayerElements map_elements(double elements);
/// A group norm over maps of this many positions, which keeps its input, means and deviations.
[[nodiscard]] LayerElements group_norm_elements(double positions, int channels);

}  // namespace edgeloop
