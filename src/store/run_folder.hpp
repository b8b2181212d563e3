#pragma once

#include "edgeloop/core/access.hpp"
#include "edgeloop/core/descriptor.hpp"

#include <cstdint>
#include <string>

namespace edgeloop {

/// Makes or opens the folder of a run and keeps other processes out as long as the result lives.
/// @throws ConfigError  it is in use, or make_own_folder() refuses it; a folder inside it is a
/// link: files would be written to, and deleted from, where that leads; IoError.
[[nodiscard]] Descriptor open_run_folder(const std::string& folder, Access access);

/// Cuts off what follows the first `bytes`. @throws ConfigError, IoError  as open_own_file().
void cut_off(const std::string& file, std::uint64_t bytes, Access access);

}  // namespace edgeloop
