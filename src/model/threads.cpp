#include "edgeloop/model/threads.hpp"

#include "edgeloop/core/error.hpp"

#include <cstdlib>

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

int compute_threads() { return at::get_num_threads(); }

}  // namespace edgeloop
