#pragma once

#include "system_files.hpp"

#include <cstdint>
#include <functional>
#include <optional>

namespace edgeloop {

/// Whether the core of the calling thread is its own: a hyperthread shares its core's issue slots
/// with a neighbour, which may be another program or, in a virtual machine, somebody else's machine
/// that this kernel cannot see. A network then takes up to twice as long for as long as the
/// neighbour computes.
///
/// Two short loops tell: a chain of dependent operations, one a clock cycle whatever the neighbour
/// does, and independent operations, of which a core with hyperthreads alone issues at least four a
/// cycle (Intel Core and Xeon since 2008, AMD since Zen, 2017: their optimisation manuals) and a
/// shared one about half of what it could. A core that issues eight is only told from a shared one
/// once it has been seen alone. The ratio does not depend on the clock, which the chain shows
/// besides.
class CoreWitness {
  public:
    /// Nanoseconds that `cycles` dependent operations and that as many slots of four independent
    /// ones take; replaced in tests.
    struct Loops {
        std::function<double(int cycles)> dependent_ns, independent_ns;
    };

    CoreWitness();
    explicit CoreWitness(Loops loops) : loops_(std::move(loops)) {}

    struct Look {
        bool alone = true;
        double clock_mhz = 0;  ///< of this core at this moment
    };
    /// Takes about 10 microseconds.
    [[nodiscard]] Look look();

  private:
    Loops loops_;
    double max_per_cycle_ = 4;  ///< independent operations of a core alone, as far as is known
    double last_per_cycle_ = 0;
};

/// Whether this machine says that it is virtual (x86-64).
[[nodiscard]] bool is_virtual_machine(const SystemFiles& files);
/// Whether this machine's cores may be shared by hyperthreads: it says so, or it is virtual
/// (x86-64; the cores of arm64 devices are not shared).
[[nodiscard]] bool cores_may_be_shared(const SystemFiles& files);

}  // namespace edgeloop
