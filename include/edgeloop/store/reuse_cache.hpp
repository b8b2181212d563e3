#pragma once

#include "edgeloop/core/hash.hpp"
#include "edgeloop/search/run_store.hpp"
#include "edgeloop/store/run_directory.hpp"

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace edgeloop {

/// Results of earlier runs, to be used instead of evaluating the same again.
///
/// A training is the same for equal spec, seed of the candidate, epochs and RunIdentity::training;
/// a latency for equal network and RunIdentity::measuring. Runs whose identity differs or is empty
/// add nothing to the half concerned.
class ReuseCache {
  public:
    /// Adds the completed halves of the run in this folder.
    /// @throws ConfigError   there is no run.
    /// @throws CorruptState  its journal cannot be trusted.
    void add_run(const std::string& folder, const RunIdentity& now);

    /// An earlier result; its reason names the run. Not for a training whose state a later rung
    /// needs: the state is not kept between runs.
    [[nodiscard]] std::optional<Outcome> find(Half half, const Candidate& candidate) const;
    /// Results held.
    [[nodiscard]] std::size_t size() const { return trained_.size() + measured_.size(); }

  private:
    using TrainingKey = std::tuple<Digest, std::uint64_t, int>;

    [[nodiscard]] static TrainingKey training_key(const Candidate& candidate);
    [[nodiscard]] static Digest network_key(const Candidate& candidate);

    std::map<TrainingKey, Outcome> trained_;
    std::map<Digest, Outcome> measured_;
};

}  // namespace edgeloop
