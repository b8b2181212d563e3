// What the kernels of all instruction sets begin with. Everything here and in kernels.inl has
// internal linkage: each file compiles it for other instructions. (Functions of the standard
// library have not: a copy of theirs for better processors could be linked into the rest.)

#define EDGELOOP_INLINE inline __attribute__((always_inline))
#define EDGELOOP_UNROLL _Pragma("GCC unroll 16")

template <class Vector, class Element>
EDGELOOP_INLINE Vector load_vector(const Element* from) {
    Vector result;
    std::memcpy(&result, from, sizeof result);
    return result;
}

EDGELOOP_INLINE int least(int a, int b) { return a < b ? a : b; }
EDGELOOP_INLINE int max_of(int a, int b) { return a > b ? a : b; }
