#pragma once

#include "edgeloop/core/hash.hpp"
#include "edgeloop/store/run_directory.hpp"

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace edgeloop {

/// What this run asks of results of earlier runs.
struct ReuseOptions {
    const SearchSpace* space = nullptr;  ///< of this run; must outlive the cache
    EngineSettings engine;
    RunConditions conditions;
    bool latencies = true;  ///< devices with these conditions are interchangeable
    bool weights = false;   ///< a training without its weights is of no use
    /// Metrics without which a latency is of no use. Empty: any will do.
    ClassMetrics measured;
    /// Targets and batch sizes as they are in names of metrics; results with others are of no use.
    std::vector<std::string> members = {};
};

/// What a folder has for this run.
struct ReuseCount {
    std::size_t trainings = 0, latencies = 0;
    std::map<std::string, std::size_t> left_out;  ///< results by why they are of no use

    /// One sentence about it.
    [[nodiscard]] std::string text(const std::string& folder) const;
};

/// Results of earlier runs, to be used instead of evaluating the same again.
///
/// A training is the same for equal spec, seed of the candidate, epochs and conditions of training;
/// a latency for equal network and conditions of measuring. Only what this run can ask for is held.
class ReuseCache {
  public:
    explicit ReuseCache(ReuseOptions options) : options_(std::move(options)) {}

    /// Adds the completed parts of the run in this folder.
    ///
    /// @param earlier  its conditions when it has no conditions.json, as far as they are known.
    /// @throws ConfigError   there is no run.
    /// @throws CorruptState  its journal cannot be trusted.
    ReuseCount add_run(const std::string& folder, const RunConditions& earlier = {});

    /// An earlier result; its reason names the run. Not for a training whose state a later rung
    /// needs: the state is not kept between runs.
    [[nodiscard]] std::optional<Outcome> find(const Part& part, const Candidate& candidate) const;
    /// File with the weights of an earlier training; empty: it has none.
    [[nodiscard]] std::string weights_of(const Candidate& candidate) const;

  private:
    using TrainingKey = std::tuple<Digest, std::uint64_t, int>;
    class Reader;

    [[nodiscard]] static TrainingKey training_key(const Candidate& candidate);

    ReuseOptions options_;
    std::map<TrainingKey, Outcome> trained_;
    std::map<TrainingKey, std::string> weights_;
    std::map<std::pair<std::string, Digest>, Outcome> measured_;  ///< by class and network
};

}  // namespace edgeloop
