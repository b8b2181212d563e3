#include "memory_budget.hpp"

#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include <unistd.h>

namespace edgeloop {
namespace {

constexpr double none = std::numeric_limits<double>::infinity();

/// The smallest limit of a control group and of all it is in.
double limit_of(const std::string& mount, std::filesystem::path group, const char* file) {
    double smallest = none;
    for (;; group = group.parent_path()) {
        double bytes = 0;
        if (std::ifstream(mount + group.string() + "/" + file) >> bytes && bytes > 0)
            smallest = std::min(smallest, bytes);
        if (group == group.parent_path()) return smallest;
    }
}

/// A number of MiB in the environment times another number; no limit when it is not there or 0.
double from_environment(const char* mebibytes, const char* times) {
    const char* each = std::getenv(mebibytes);
    const char* count = times == nullptr ? "1" : std::getenv(times);
    const double bytes = each == nullptr || count == nullptr
                             ? 0
                             : bytes_per_mib * std::atof(each) * std::atof(count);
    return bytes > 0 ? bytes : none;
}

}  // namespace

double control_group_bytes(const std::string& root) {
    double smallest = none;
    std::ifstream groups(root + "/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {  // "4:memory:/job", or "0::/job" in v2
        std::istringstream parts(line);
        std::string number, controllers, group;
        std::getline(parts, number, ':');
        std::getline(parts, controllers, ':');
        std::getline(parts, group);
        const std::string mount = root + "/sys/fs/cgroup";
        if (controllers.empty()) {
            for (const char* unified : {"", "/unified"})
                smallest = std::min(smallest, limit_of(mount + unified, group, "memory.max"));
        } else if (("," + controllers + ",").find(",memory,") != std::string::npos) {
            smallest =
                std::min(smallest, limit_of(mount + "/memory", group, "memory.limit_in_bytes"));
        }
    }
    return smallest;
}

double batch_job_bytes() {
    return std::min({from_environment("SLURM_MEM_PER_NODE", nullptr),
                     from_environment("SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE"),
                     from_environment("SLURM_MEM_PER_GPU", "SLURM_GPUS_ON_NODE")});
}

double memory_share_bytes(int ranks) {
    const double physical = double(::sysconf(_SC_PHYS_PAGES)) * double(::sysconf(_SC_PAGESIZE));
    return 0.9 * std::min({physical, control_group_bytes(), batch_job_bytes()}) /
           std::max(1, ranks);
}

}  // namespace edgeloop
