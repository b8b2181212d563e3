#pragma once

#include "edgeloop/inference/graph.hpp"
#include "edgeloop/inference/instructions.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop::inference {

/// Which layers of few bits count bits instead of multiplying bytes.
enum class BitPlanes : std::uint8_t {
    never,
    where_faster,  ///< as the shapes of layer and vectors tell
    wherever_possible,
};

struct SessionOptions {
    int threads = 1;
    std::vector<int> cpus;  ///< one for each thread; the caller's is left where it is; empty: any
    Instructions instructions = best_instructions();
    BitPlanes bit_planes = BitPlanes::where_faster;
    /// Frames by which each clip of a stream moves on from the one before (run_moved()); 0, or as
    /// many as a clip has: clips have nothing in common.
    int stride = 0;
};

/// Multiply-adds of one run, of convolutions and linear layers.
struct Work {
    std::int64_t whole = 0, moved = 0;  ///< run(), run_moved()
};

/// A graph that is ready to run. All work that depends on the graph alone is done once: kernels are
/// chosen, weights are laid out for them, layers fused, memory laid out. A run then allocates
/// nothing and takes no lock. One run at a time.
class Session {
  public:
    /// @throws ConfigError  as kinds_of(); IoError: threads; std::bad_alloc.
    explicit Session(Graph graph, const SessionOptions& options = {});
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    [[nodiscard]] const Graph& graph() const;
    /// Numbers of a result.
    [[nodiscard]] std::int64_t outputs() const;

    /// @param clip  (T, H, W), float; where the graph takes bytes: normalised, with the deviation
    /// of its metadata, and rounded (clip_integer()).
    /// @param result  (outputs), the caller's.
    void run(const float* clip, float* result);
    /// @param clip  (T, H, W), as the graph takes it. REQUIRES: it takes bytes.
    void run(const std::uint8_t* clip, float* result);

    /// The next clip of a stream: the last one, moved on by the options' stride. Gives what run()
    /// gives for that clip, bit for bit. Not computed again is what clips have in common: results
    /// of layers before the first one that looks at all of time (norm, mean, linear), at positions
    /// that see no padding in time, behind layers whose steps in time divide the stride.
    ///
    /// @param frames  (stride, H, W): the new ones.
    /// REQUIRES: a stride from 1 to the clip's frames - 1; a run before.
    void run_moved(const float* frames, float* result);
    void run_moved(const std::uint8_t* frames, float* result);
    [[nodiscard]] Work work() const;

    [[nodiscard]] std::size_t memory_bytes() const;  ///< of tensors
    [[nodiscard]] std::size_t weight_bytes() const;  ///< as laid out for the kernels
    /// What computes each convolution and linear layer, e.g. "convolution: integers".
    [[nodiscard]] const std::vector<std::string>& kernels() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop::inference
