#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace edgeloop {

/// Names of what the sandbox refuses and attempt() tries.
[[nodiscard]] std::vector<std::string> attempt_names();

/// Tries one of them. The sandbox may end the process instead.
/// @return how it was refused; empty: it was not. It leaves nothing behind then.
[[nodiscard]] std::string attempt(std::size_t which);

}  // namespace edgeloop
