#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace edgeloop {

struct Catalogue;

/// The shards of a folder, each opened once and mapped into memory, for any number of loaders.
///
/// What it holds stays as it was opened: shards that are made anew meanwhile are not seen.
class Dataset {
  public:
    /// For one thread at a time (HDF5).
    /// @throws ConfigError  no such folder; a shard is missing, damaged or not the catalogue's.
    explicit Dataset(const std::string& folder);
    ~Dataset();
    Dataset(const Dataset&) = delete;
    Dataset& operator=(const Dataset&) = delete;

    [[nodiscard]] const std::string& folder() const;
    [[nodiscard]] const Catalogue& catalogue() const;
    /// catalogue_digest() of it: equal on all ranks that see the same data.
    [[nodiscard]] const std::string& digest() const;

    struct Impl;
    [[nodiscard]] const Impl& impl() const { return *impl_; }

  private:
    std::unique_ptr<const Impl> impl_;
};

/// Files of shards that this process has opened for reading so far: what a parallel file system
/// feels.
[[nodiscard]] std::uint64_t opened_shards();

}  // namespace edgeloop
