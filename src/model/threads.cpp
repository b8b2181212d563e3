#include "edgeloop/model/threads.hpp"

#include "edgeloop/core/error.hpp"

#include <ATen/Parallel.h>
#include <dlfcn.h>

namespace edgeloop {

void set_compute_threads(int threads) {
    EDGELOOP_EXPECT(threads >= 1, "an operation needs at least one thread");
    at::set_num_threads(threads);
    // Looked up at run time: other BLAS libraries do not have it and follow OpenMP's setting.
    using SetThreads = void (*)(int);
    if (void* set = dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))
        reinterpret_cast<SetThreads>(set)(threads);
}

int compute_threads() { return at::get_num_threads(); }

}  // namespace edgeloop
