#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/quantisation.hpp"

#include <cstdint>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

namespace edgeloop {

class Network;

// Fake quantisation: layers compute in float32 with numbers that integers of few bits stand for,
// by the rules of edgeloop/inference/integer.hpp, and gradients pass straight through.

/// Step of VecQ's grid for normal weights of deviation 1, for 1 to 8 bits: 2^b values, none of them
/// zero. From 2 bits on the step of smallest mean square error; at 1 bit alpha takes its place.
/// Source: Gong et al., "VecQ", IEEE Transactions on Computers 2020.
[[nodiscard]] double vecq_step(int bits);
/// The same for the 2^b - 1 values around zero that LSQ's weights have, for 2 to 8 bits: the step
/// of smallest mean square error, where learning begins.
[[nodiscard]] double integer_step(int bits);

/// Weights on VecQ's grid: alpha (k + 1/2), -2^(b-1) <= k < 2^(b-1), for each output channel. The
/// direction is the grid's point for weights / (step deviation), alpha its length by least squares.
/// Weights have a mean close to 0: the deviation is taken about 0.
struct VecqWeights {
    torch::Tensor values;  ///< shape of the weights; without gradient
    torch::Tensor alpha;   ///< (outputs)
};
/// @param weights  (outputs, ...).
[[nodiscard]] VecqWeights vecq(const torch::Tensor& weights, int bits);

/// Rounds to whole numbers of a learnt step, from `low` to `high`, with the gradients of LSQ, which
/// for the step are multiplied by 1 / sqrt(numbers * high).
/// Source: Esser et al., "Learned step size quantization", ICLR 2020.
/// @param step     (1), or (outputs) for weights (outputs, ...).
/// @param numbers  that share a step: weights of a channel; activations of one clip.
[[nodiscard]] torch::Tensor lsq(const torch::Tensor& x, const torch::Tensor& step, int low,
                                int high, double numbers);

/// What a layer reads.
enum class Reads {
    clip,        ///< grey values of 8 bits, normalised
    above_zero,  ///< after ReLU
    both_signs
};

/// How a layer rounds.
struct RoundingOptions {
    RoundingOptions() = default;
    RoundingOptions(const Quantisation& quantisation, const Bits& of_layer, Reads what,
                    const ClipShape& clip = {});

    Bits bits = float_bits;
    Reads reads = Reads::above_zero;
    bool learns_weight_steps = false;
    bool has_odd_weights = false;
    double mean = 0, deviation = 1;  ///< of the clip
};

/// Whether rounded layers round.
enum class Rounding {
    on,
    off,      ///< float32
    observed  ///< float32, and each layer adds up what it reads
};

/// A layer that may round its weights and what it reads. Its steps are parameters of it, as
/// logarithms: a step stays positive whatever an optimiser does, and Adam's changes are relative.
class RoundedLayer : public torch::nn::Module {
  public:
    /// @param outputs  channels of the weights; 0: there are none.
    RoundedLayer(const RoundingOptions& options, std::int64_t outputs);

    [[nodiscard]] bool is_rounded() const { return !options_.bits.is_float(); }
    /// What the layer computes with; x and weight themselves where nothing is rounded.
    [[nodiscard]] torch::Tensor rounded_input(const torch::Tensor& x) const;
    [[nodiscard]] torch::Tensor rounded_weight() const;
    [[nodiscard]] torch::Tensor rounded_bias() const;
    /// Whether products of integers are summed, to which a bias is added as an integer.
    [[nodiscard]] bool rounds_bias() const;
    /// A bias of the layer, or of the layer with an affine norm of this weight behind it, in whole
    /// accumulators, as inference::integer_bias() has it. REQUIRES: rounds_bias().
    [[nodiscard]] torch::Tensor whole_accumulators(const torch::Tensor& of_bias,
                                                   const torch::Tensor& norm_weight = {}) const;

    [[nodiscard]] const RoundingOptions& options() const { return options_; }
    /// Step and integer for zero of what it reads.
    [[nodiscard]] double input_step() const;
    [[nodiscard]] int input_zero() const;
    /// What the integer 1 of a weight stands for. Shape (outputs).
    [[nodiscard]] torch::Tensor weight_scales() const;

    /// Sets the steps to what suits the weights, and activations of this mean magnitude.
    void start_steps(double mean_magnitude);

    torch::Tensor weight, bias;  ///< bias is undefined without one
    Rounding rounding = Rounding::on;
    mutable double observed_sum = 0, observed_numbers = 0;

  private:
    [[nodiscard]] torch::Tensor input_scale() const;
    [[nodiscard]] int lowest() const;
    [[nodiscard]] int highest() const;

    RoundingOptions options_;
    torch::Tensor log_input_step_, log_weight_steps_;
};

/// Rounds what passes.
class RoundingLayerImpl : public RoundedLayer {
  public:
    explicit RoundingLayerImpl(const RoundingOptions& options) : RoundedLayer(options, 0) {}
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const { return rounded_input(x); }
};
TORCH_MODULE(RoundingLayer);

/// Those that round, in the order of the network's modules; the network owns them.
[[nodiscard]] std::vector<RoundedLayer*> rounded_layers(Network& network);
/// Also of norms that freeze.
void set_rounding(Network& network, Rounding rounding);
/// Sums of magnitudes and numbers of what each layer has read since it has been observed, (layers,
/// 2), then FrozenNormImpl::observed() of each norm; may be added up over ranks.
[[nodiscard]] std::vector<double> observations(Network& network);
/// Sets all steps from observations, freezes norms, and forgets what was observed.
void start_steps(Network& network, const std::vector<double>& observations);
/// Parameters of a norm that freezes, besides weight and bias.
constexpr const char* frozen_names[] = {"frozen_factor", "frozen_mean"};
/// Whether a parameter of this name is a step, or frozen: observations decide where it begins.
[[nodiscard]] bool is_step(const std::string& parameter);

}  // namespace edgeloop
