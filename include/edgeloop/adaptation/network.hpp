#pragma once

#include "edgeloop/inference/graph.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace edgeloop::adaptation {

/// Bytes that a network takes while it learns, by what they are for.
struct TrainingMemory {
    std::size_t weights = 0, gradients = 0;
    std::size_t kept = 0;     ///< results that a whole pass keeps: where segments begin
    std::size_t segment = 0;  ///< results within the segment at work
    std::size_t flow = 0;     ///< gradients of results
    std::size_t scratch = 0;  ///< a layer's weights as its kernel wants them

    [[nodiscard]] std::size_t total() const {
        return weights + gradients + kept + segment + flow + scratch;
    }
};

/// A network in float32 that gradients can be taken of: convolutions of any kernel, stride and
/// padding, depthwise ones, linear layers, group norms, ReLU, max-pools, means, one after the
/// other. A layer with its ReLU and max-pool makes one result, so that nothing is kept of what a
/// pool drops.
///
/// Layers of integers are learnt as they will run: weights and results are rounded in the forward
/// pass, to the grids and steps of the file, and gradients pass as if they were not (Bengio et al.,
/// arXiv 1308.3432; Jacob et al., CVPR 2018). Float weights behind the integers are their values
/// where learning begins.
class Network {
  public:
    /// @param limit_bytes  of memory().total(), 0: none. Where results do not fit, the network is
    /// cut into segments, and results within a segment are computed again when gradients are taken.
    /// @throws ConfigError  a layer of another kind, layers that do not follow one after the other;
    /// the limit cannot be held: says what is needed.
    Network(inference::Graph graph, std::size_t limit_bytes);
    ~Network();
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    [[nodiscard]] const TrainingMemory& memory() const;
    [[nodiscard]] int segments() const;
    [[nodiscard]] std::int64_t inputs() const;
    [[nodiscard]] std::int64_t outputs() const;

    /// All weights and biases, layer by layer as the graph has them.
    [[nodiscard]] std::vector<float>& parameters();
    /// Sums over backward() since clear_gradients().
    [[nodiscard]] const std::vector<float>& gradients() const;
    void clear_gradients();
    /// Parameters of one layer of the graph: weights, and behind them biases.
    struct Place {
        std::size_t weights = 0, weight_count = 0, biases = 0, bias_count = 0;
    };
    [[nodiscard]] Place place_of(std::size_t layer) const;

    /// @param clip    (T, H, W), as the graph's first layer reads it, in floats.
    /// @return (outputs), valid until the next call.
    [[nodiscard]] const float* forward(const float* clip);
    /// Adds the gradients of sum(output_gradient * outputs) at the last clip of forward().
    /// @param output_gradient  (outputs).
    void backward(const float* output_gradient);

    /// Keeps weights of integer layers where the grid reaches. To be called after each step.
    void clamp();
    /// The network as a graph, of integers where it was, with the same steps and ratios; this one
    /// is empty then. @throws ConfigError  a bias or a sum does not fit 32 bits.
    [[nodiscard]] inference::Graph take_graph();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop::adaptation
