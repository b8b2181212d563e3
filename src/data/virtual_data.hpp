#pragma once

#include "data/hdf5.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop::hdf5 {

/// Blocks that may be missing between those of a virtual dataset with numbered sources
/// ("part-%b.h5") and are still looked for.
constexpr hsize_t max_gap = 64;

/// The datasets that a virtual one takes its elements from, looked at one by one: as any dataset
/// that is opened, and before HDF5 opens them to tell the shape of the virtual one.
class VirtualSources {
  public:
    /// @throws ConfigError  a source that is there cannot be used, or must not be referred to.
    VirtualSources(const Dataset& dataset, hid_t creation_list, References& references);

    /// Refuses the dataset unless all of its elements come from sources that are there and large
    /// enough. Adds the sources' files to `dataset.files` and what they store to
    /// `dataset.stored_bytes`. @throws ConfigError.
    void check(Dataset& dataset) const;

  private:
    /// One entry: a part of the dataset that comes from a part of another one.
    struct Mapping {
        std::string file, dataset;  ///< "." is the same file; "%b" stands for the number of a block
        Handle target, source;      ///< selections

        /// Its sources are numbered, and there are as many as the dataset is long.
        [[nodiscard]] bool has_blocks() const;
        [[nodiscard]] bool is_numbered() const;
    };

    [[nodiscard]] static Mapping mapping_of(hid_t list, std::size_t index);
    [[nodiscard]] bool look_at(const Dataset& dataset, std::size_t mapping, hsize_t block,
                               References& references);
    /// Counts a source that is needed. @throws ConfigError  it is not there or not large enough.
    void use(Dataset& dataset, std::size_t mapping, hsize_t block) const;

    std::vector<Mapping> mappings_;
    std::map<std::pair<std::size_t, hsize_t>, Dataset> found_;  ///< by mapping and block; closed
};

}  // namespace edgeloop::hdf5
