#pragma once

#include "edgeloop/comm/session.hpp"

namespace edgeloop::test {

/// All ranks of the running test program; one without mpirun.
[[nodiscard]] Communicator& world();

}  // namespace edgeloop::test
