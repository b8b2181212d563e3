#pragma once

#include <vector>

namespace edgeloop {

/// Cores that this process may be pinned to, ascending: those of the machine, or what a container
/// has of them.
[[nodiscard]] std::vector<int> usable_cores();

/// @throws ConfigError  names the first core that is not there, and those that are.
void require_cores(const std::vector<int>& cores);

}  // namespace edgeloop
