#pragma once

#include <functional>
#include <string>
#include <vector>

namespace edgeloop::test {

/// What a network that has taken over its process tries.
struct HostileNetwork {
    std::string name;
    /// Gives what it managed to do, or nothing when it was kept from it. It may also be ended, or
    /// never return.
    std::function<std::string()> act;
    std::string reason;        ///< part of what the job is answered with
    bool while_built = false;  ///< else in its first run
};

/// All of them. They look for a file `secret` and a folder `open` beside the program.
[[nodiscard]] const std::vector<HostileNetwork>& hostile_networks();

/// Process that started this program; kept by the processes that it starts in turn.
void remember_agent();

}  // namespace edgeloop::test
