#pragma once

namespace edgeloop {

/// Sets how many threads one operation of a network may use, in LibTorch and in OpenBLAS, whose
/// own pool LibTorch does not steer. Call early, from the thread that runs the network.
///
/// REQUIRES: threads >= 1.
void set_compute_threads(int threads);

/// Threads an operation may use now.
[[nodiscard]] int compute_threads();

}  // namespace edgeloop
