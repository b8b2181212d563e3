#pragma once

#include <functional>

namespace edgeloop {

/// Runs the body of a main and turns whatever it throws into one clear line and an exit code; the
/// only catch-all of a program. What leaves any other thread ends the process in the same way, at
/// once and without `on_error`.
///
/// @param on_error  called after logging, with the exit code, before returning; e.g. MPI_Abort,
///                  because unwinding into MPI_Finalize while other ranks wait hangs for ever.
[[nodiscard]] int run_program(const std::function<int()>& body,
                              const std::function<void(int)>& on_error = {});

}  // namespace edgeloop
