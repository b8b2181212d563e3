#pragma once

#include "edgeloop/search/candidate.hpp"
#include "edgeloop/search/goals.hpp"
#include "edgeloop/space/search_space.hpp"

#include <cstdint>
#include <functional>
#include <map>

namespace edgeloop {

/// What a network costs, from whoever can count it.
struct NetworkCosts {
    double latency_ms = 0;
    double gflops = 0;  ///< of one forward pass
};

/// The test problem "nas-table": the published search space with counted costs and a made-up, fixed
/// error surface, to study engines without training anything.
///
/// The error falls with the size of the network by a power law, has an optimum in the learning rate
/// that depends on the width, small effects of every other gene, a fixed random part per design,
/// and falls with the epochs, faster for small networks. Reported errors also have noise that
/// shrinks with the epochs: so early results rank designs imperfectly, as in practice. Nothing here
/// is measured; the figures are good for comparing engines and for nothing else.
class NasTable {
  public:
    using Counter = std::function<NetworkCosts(const ArchitectureSpec&)>;

    /// @param seed  of the fixed random part and the noise.
    NasTable(Counter counter, std::uint64_t seed = 1);

    [[nodiscard]] const SearchSpace& space() const { return space_; }
    [[nodiscard]] static Goals goals();
    static constexpr int full_epochs = 9;

    /// val_rmse after `candidate.epochs`; seconds: proportional to the FLOPs of the epochs not
    /// trained yet.
    [[nodiscard]] Outcome train(const Candidate& candidate) const;
    /// latency_ms, the same however often it is asked.
    [[nodiscard]] Outcome measure(const Candidate& candidate) const;
    /// The error at the full budget without the noise of a single training.
    [[nodiscard]] double true_error(const Genome& genome) const;

  private:
    [[nodiscard]] const NetworkCosts& costs(const Genome& genome) const;
    [[nodiscard]] double expected_error(const Genome& genome, int epochs) const;

    SearchSpace space_;
    Counter counter_;
    std::uint64_t seed_;
    mutable std::map<Digest, NetworkCosts>
        counted_;  ///< by network, because counting takes a while
};

}  // namespace edgeloop
