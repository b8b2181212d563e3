#include "cores.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

namespace edgeloop {

std::vector<int> usable_cores() {
    cpu_set_t before, all;
    CPU_ZERO(&all);
    for (int core = 0; core < CPU_SETSIZE; ++core) CPU_SET(core, &all);
    if (::sched_getaffinity(0, sizeof before, &before) != 0)
        throw IoError("cannot tell which cores there are", std::strerror(errno));
    // The kernel leaves of a wish what can be had.
    if (::sched_setaffinity(0, sizeof all, &all) == 0) {
        (void)::sched_getaffinity(0, sizeof all, &all);
        (void)::sched_setaffinity(0, sizeof before, &before);
    } else {
        all = before;
    }
    std::vector<int> cores;
    for (int core = 0; core < CPU_SETSIZE; ++core)
        if (CPU_ISSET(core, &all)) cores.push_back(core);
    return cores;
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
