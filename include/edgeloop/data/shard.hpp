#pragma once

#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/data/external.hpp"
#include "edgeloop/data/progress.hpp"
#include "edgeloop/data/split.hpp"

#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

struct ShardPlan;

struct ShardOptions {
    std::vector<std::string> input;  ///< RAISE-LPBF files or patterns, either layout
    std::string output;              ///< folder for the shards and catalogue.json
    int shards = 4;
    SplitOptions split;
    Crop crop = Crop::causal;
    bool force = false;  ///< make all shards anew, whatever the folder holds
    External external = External::refuse;
};

/// Turns RAISE-LPBF files into shards; the work can be divided over ranks.
///
/// Every rank constructs it, which reads labels and indices, not frames, and gives the same plan
/// everywhere. Then, in this order, with a barrier between: prepare() on one rank, write() on all,
/// finish() on one. A shard appears under its own name only when whole, so stopping at any point
/// loses at most the shard at hand, and running again continues.
class ShardJob {
  public:
    /// @throws ConfigError  an unusable input (file, group and dataset are named), fewer lines than
    /// shards, a split that does not work.
    explicit ShardJob(ShardOptions options);

    /// Of all that decides the shards' content, as far as it was looked at: the same on every rank
    /// that sees the same recordings.
    [[nodiscard]] const std::string& settings_digest() const;

    /// Creates the folder and records the settings. Shards of recordings that changed since, by
    /// size, time or sampled content, are removed, and all shards with `force`. @throws ConfigError
    /// the folder holds shards made with other settings and `force` is off; IoError.
    void prepare() const;
    /// Writes the missing ones among shards rank, rank + ranks, rank + 2 ranks ...
    /// @throws Stopped  a signal asked for it; ConfigError, IoError.
    void write(int rank, int ranks, const ProgressCallback& progress = {}) const;
    /// Writes catalogue.json. REQUIRES: all shards are there. @throws IoError; ConfigError  a
    /// recording changed since the constructor.
    Catalogue finish() const;

  private:
    [[nodiscard]] std::string path_of(const CatalogueShard& shard) const;

    ShardOptions options_;
    std::shared_ptr<const ShardPlan> plan_;
};

/// All three phases in this process.
Catalogue make_shards(const ShardOptions& options, const ProgressCallback& progress = {});

}  // namespace edgeloop
