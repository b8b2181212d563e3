#pragma once

#include "edgeloop/core/float_array.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace edgeloop {

namespace hdf5 {
class Handle;
}

/// Read access to named numeric datasets and text attributes of an HDF5 file.
class TensorFile {
  public:
    /// @throws ConfigError  it does not exist, or is not a whole HDF5 file.
    explicit TensorFile(const std::string& path);

    /// Text of an attribute of the root group (fixed or variable length), or nothing.
    [[nodiscard]] std::optional<std::string> text_attribute(const std::string& name) const;

    /// A numeric dataset of any type, converted to float32; nothing when there is none.
    /// @throws ConfigError  it is not numeric, or its size is beyond reason or the file.
    [[nodiscard]] std::optional<FloatArray> read(const std::string& name) const;
    /// As read(). @throws ConfigError also when there is no such dataset.
    [[nodiscard]] FloatArray require(const std::string& name) const;

    /// All datasets below a group, at any depth, by their name relative to it with '.' instead of
    /// '/'. Empty when there is no such group. @throws ConfigError as read().
    [[nodiscard]] std::map<std::string, FloatArray> read_group(const std::string& group) const;

  private:
    std::string path_;
    std::shared_ptr<const hdf5::Handle> file_;
};

}  // namespace edgeloop
