#pragma once

#include <cstdint>

#include <omp.h>

#if defined(__SANITIZE_THREAD__)
#include <atomic>
#include <thread>
#include <vector>
#endif

namespace edgeloop {

/// Calls body(task, thread) for all tasks below `tasks` on as many threads as LibTorch uses; thread
/// is below omp_get_max_threads(). The body must not throw.
///
/// The thread sanitizer cannot see into GCC's OpenMP library and would take its fork and join for
/// races. Under it the same tasks run on plain threads, which take their tasks without ordering
/// each other's memory accesses, so that any two tasks that touch the same memory are reported.
template <class Body>
void for_each_task(std::int64_t tasks, const Body& body) {
#if defined(__SANITIZE_THREAD__)
    std::atomic<std::int64_t> next{0};
    const auto work = [&](int thread) {
        for (std::int64_t task = next.fetch_add(1, std::memory_order_relaxed); task < tasks;
             task = next.fetch_add(1, std::memory_order_relaxed))
            body(task, thread);
    };
    std::vector<std::thread> others;
    for (int thread = 1; thread < omp_get_max_threads(); ++thread)
        others.emplace_back(work, thread);
    work(0);
    for (std::thread& other : others) other.join();
#else
#pragma omp parallel for schedule(dynamic)
    for (std::int64_t task = 0; task < tasks; ++task) body(task, omp_get_thread_num());
#endif
}

}  // namespace edgeloop
