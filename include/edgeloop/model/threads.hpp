#pragma once

namespace edgeloop {

/// Sets how many threads one operation of a network may use, in LibTorch and in OpenBLAS, whose
/// own pool LibTorch does not steer. Call early, from the thread that runs the network.
///
/// REQUIRES: threads >= 1.
void set_compute_threads(int threads);

/// Sets the threads as set_compute_threads() does, starts them, and takes the memory that they and
/// OpenBLAS need for any network. For a process that then limits its own memory: OpenBLAS asks
/// again without end for a buffer that is refused.
///
/// REQUIRES: threads >= 1.
void start_compute_threads(int threads);

/// Lets idle compute threads sleep soon; call it first thing in main().
///
/// LibTorch's loops (OpenMP) and OpenBLAS have a pool of threads each. Idle threads of either spin
/// for about 20 ms, on the cores that the other pool now needs: a forward pass with two threads
/// takes up to 1.5 times longer. Both libraries read the remedy from the environment before main()
/// begins, so this restarts the program, once, with it set. What the user has set stays.
void restart_with_short_spinning(char** argv);

}  // namespace edgeloop
