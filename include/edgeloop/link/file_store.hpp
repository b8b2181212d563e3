#pragma once

#include "edgeloop/core/access.hpp"
#include "edgeloop/link/model_job.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace edgeloop {

/// Files by what is in them, in a folder of its own: each is there once, whoever brought it. They
/// come in pieces; what is not whole yet belongs to who brings it, so that nobody can spoil what
/// another brings.
class FileStore {
  public:
    enum class Added { piece, whole, damaged };

    /// Makes the folder; what is not whole in it goes. @throws IoError, ConfigError.
    FileStore(std::string folder, Access access);

    [[nodiscard]] bool has(const FileName& file) const;
    /// Bytes that this one has brought.
    [[nodiscard]] std::uint64_t received(const FileName& file, std::uint64_t who) const;
    /// The next piece; one that does not begin where the last has ended is ignored. The last one
    /// makes it whole, on the disk, unless its content is not what its name says: then all of it
    /// goes. @throws IoError  e.g. disk full.
    Added append(const FileName& file, std::uint64_t who, std::uint64_t offset,
                 std::string_view bytes);
    void give_up(const FileName& file, std::uint64_t who);
    /// Up to `size` bytes from `offset` on. @throws IoError, ConfigError.
    [[nodiscard]] std::string read(const FileName& file, std::uint64_t offset,
                                   std::size_t size) const;
    [[nodiscard]] std::string path_of(const FileName& file) const;
    void remove(const FileName& file);
    /// Removes all whole files but those.
    void keep_only(const std::function<bool(const FileName&)>& wanted);

  private:
    [[nodiscard]] std::string part_of(const FileName& file, std::uint64_t who) const;

    std::string folder_;
    Access access_;
};

}  // namespace edgeloop
