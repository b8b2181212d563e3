#pragma once

#include "edgeloop/comm/session.hpp"

namespace edgeloop::test {

/// All ranks of the running test program; one without mpirun.
[[nodiscard]] Communicator& world();

/// Waits until all ranks are here.
inline void wait_for_all() { (void)world().all_gather(""); }

}  // namespace edgeloop::test
