#include "edgeloop/model/threads.hpp"

#include "model/parallel_tasks.hpp"

#include "edgeloop/core/error.hpp"

#include <cstdlib>
#include <vector>

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

namespace edgeloop {

void set_compute_threads(int threads) {
    EDGELOOP_EXPECT(threads >= 1, "an operation needs at least one thread");
    at::set_num_threads(threads);
    // Looked up at run time: other BLAS libraries do not have it and follow OpenMP's setting.
    using SetThreads = void (*)(int);
    if (void* set = dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))
        reinterpret_cast<SetThreads>(set)(threads);
}

void start_compute_threads(int threads) {
    set_compute_threads(threads);
    // The first question makes LibTorch set the number again, for which it makes a new pool.
    (void)at::get_num_threads();
    for_each_task(threads, [](std::int64_t, int) {});
    // Looked up at run time, as above.
    using Allocate = void* (*)(int);
    using Free = void (*)(void*);
    const auto allocate = reinterpret_cast<Allocate>(dlsym(RTLD_DEFAULT, "blas_memory_alloc"));
    const auto release = reinterpret_cast<Free>(dlsym(RTLD_DEFAULT, "blas_memory_free"));
    const auto pool = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
    if (allocate == nullptr || release == nullptr || pool == nullptr) return;
    // One for each thread of OpenBLAS and one for each of LibTorch's, which may all multiply at
    // once. Products would not do: one that ends early leaves its buffer to the next.
    std::vector<void*> buffers;
    for (int i = 0; i < 2 * pool(); ++i) buffers.push_back(allocate(0));
    for (void* buffer : buffers)
        if (buffer != nullptr) release(buffer);  // OpenBLAS keeps it for the next product
}

void restart_with_short_spinning(char** argv) {
    // Long enough to bridge the gap between two operations, about 0.1 ms.
    constexpr const char* openmp_spins = "2000";
    constexpr const char* openblas_log2_cycles = "18";
    if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr)
        return;
    ::setenv("GOMP_SPINCOUNT", openmp_spins, 1);
    ::setenv("OPENBLAS_THREAD_TIMEOUT", openblas_log2_cycles, 0);
    ::execv("/proc/self/exe", argv);  // on failure the program goes on, only slower
}

}  // namespace edgeloop
