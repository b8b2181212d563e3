// Under the thread sanitizer: LibTorch, OpenBLAS and OpenMP are not instrumented, so what they do
// among themselves cannot be judged; what our code does is.
#if defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1"; }
#endif
