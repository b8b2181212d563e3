#include "cores.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

namespace edgeloop {

std::vector<int> usable_cores() {
    const std::vector<int> before = allowed_cpus();
    if (before.empty()) throw IoError("cannot tell which cores there are", std::strerror(errno));
    std::vector<int> all(CPU_SETSIZE);
    std::iota(all.begin(), all.end(), 0);
    if (!pin_to_cpus(all)) return before;
    all = allowed_cpus();  // the kernel leaves of a wish what can be had
    (void)pin_to_cpus(before);
    return all;
}

void require_cores(const std::vector<int>& cores) {
    if (cores.empty()) return;
    const std::vector<int> usable = usable_cores();
    for (const int core : cores)
        if (!std::binary_search(usable.begin(), usable.end(), core))
            throw ConfigError(fmt::format("--cores: core {} is not there", core),
                              fmt::format("this process may use {}", fmt::join(usable, ", ")),
                              "choose from those");
}

}  // namespace edgeloop
