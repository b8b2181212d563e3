#include "core_witness.hpp"

#include "harness.hpp"

#include <algorithm>

namespace edgeloop {
namespace {

constexpr int cycles = 6400;  ///< 2 to 3 microseconds for each of the two loops
constexpr int unrolled = 32;
/// Of the operations that a core alone issues. A neighbour takes half of them, or less when it
/// often waits for memory.
constexpr double alone_share = 0.9;

// Nothing here may be rewritten by the compiler, or taken out by the processor: it renames
// additions of constants and moves away, so the chain is of exclusive or.
double dependent_ns(int count) {
    std::uint64_t value = 1, key = static_cast<std::uint64_t>(count);
    const std::int64_t start = steady_nanoseconds();
    for (int i = 0; i < count; i += unrolled) {
#pragma GCC unroll 32
        for (int k = 0; k < unrolled; ++k) {
            value ^= key;
            asm volatile("" : "+r"(value), "+r"(key));
        }
    }
    return static_cast<double>(steady_nanoseconds() - start);
}

double independent_ns(int count) {
    const std::int64_t start = steady_nanoseconds();
    for (int i = 0; i < count; i += unrolled) {
#pragma GCC unroll 32
        for (int k = 0; k < unrolled; ++k) asm volatile("nop\n\tnop\n\tnop\n\tnop");
    }
    return static_cast<double>(steady_nanoseconds() - start);
}

}  // namespace

CoreWitness::CoreWitness() : CoreWitness(Loops{dependent_ns, independent_ns}) {}

CoreWitness::Look CoreWitness::look() {
    // The faster of two: an interrupt in one of them is not a neighbour.
    double dependent = loops_.dependent_ns(cycles), independent = loops_.independent_ns(cycles);
    dependent = std::min(dependent, loops_.dependent_ns(cycles));
    independent = std::min(independent, loops_.independent_ns(cycles));
    const double per_cycle = 4 * dependent / independent;
    // Two looks in a row must agree on a higher rate: one alone may be a clock that changed.
    max_per_cycle_ = std::max(max_per_cycle_, std::min(per_cycle, last_per_cycle_));
    last_per_cycle_ = per_cycle;
    return {per_cycle >= alone_share * max_per_cycle_, 1e3 * cycles / dependent};
}

bool is_virtual_machine(const SystemFiles& files) {
    const auto flags = files.field("/proc/cpuinfo", "flags");
    return flags && (*flags + " ").find(" hypervisor ") != std::string::npos;
}

bool cores_may_be_shared(const SystemFiles& files) {
    return files.line("/sys/devices/system/cpu/smt/active").value_or("0") == "1" ||
           is_virtual_machine(files);
}

}  // namespace edgeloop
