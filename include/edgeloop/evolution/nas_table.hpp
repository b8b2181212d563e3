#pragma once

#include "edgeloop/space/search_space.hpp"

namespace edgeloop {

/// The published search space with made-up but fixed results, to study search engines in seconds
/// instead of GPU-months.
///
/// Nothing here was measured: val_rmse is a synthetic surface and latency_ms a roofline estimate.
/// The surface has what makes real searches hard: diminishing returns of compute, interactions
/// between genes, a learning-rate optimum that moves with the network and a cliff beyond it,
/// learning curves that cross, and noise. Everything is a pure function of the design (and epochs).
class NasTable {
  public:
    /// Epochs of a full training.
    static constexpr int full_epochs = 27;

    NasTable();

    /// The shipped space hpc2edge.
    [[nodiscard]] const SearchSpace& space() const { return space_; }

    struct Result {
        double val_rmse = 0;
        double latency_ms = 0;
        double training_seconds = 0;  ///< of all epochs up to this one, on a notional worker
    };
    /// What training for that many epochs gives. REQUIRES: a canonical genome of space(), 1 <=
    /// epochs.
    [[nodiscard]] Result look_up(const Genome& genome, int epochs = full_epochs) const;

  private:
    SearchSpace space_;
};

}  // namespace edgeloop
