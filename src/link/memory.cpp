#include "link/memory.hpp"

#include <algorithm>
#include <fstream>

#include <malloc.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr double look_every_s = 0.25, settle_s = 2;

/// Of this process; 0 when the system does not say.
std::uint64_t resident_mib() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t whole = 0, resident = 0;
    file >> whole >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) >> 20;
}

}  // namespace

bool MemoryWatch::is_over(double now) {
    if (limit_mib_ == 0 || now < next_look_) return false;
    next_look_ = now + look_every_s;
    const bool is_settling = now < settled_;
    if (is_settling) ::malloc_trim(0);
    seen_mib_ = resident_mib();
    if (is_settling) {
        needed_mib_ = std::min(needed_mib_, seen_mib_);
        return false;
    }
    if (seen_mib_ <= limit_mib_) needed_mib_ = 0;
    if (seen_mib_ <= std::max(limit_mib_, needed_mib_ + needed_mib_ / 4)) return false;
    needed_mib_ = seen_mib_;
    settled_ = now + settle_s;
    return true;
}

}  // namespace edgeloop
