#include "inference/kernels/kernels.hpp"

#include "edgeloop/core/error.hpp"

#include <cstdlib>

#include <fmt/format.h>

namespace edgeloop::inference {
namespace {

constexpr Instructions all[] = {Instructions::portable,    Instructions::avx2,
                                Instructions::avx512,      Instructions::avx_vnni,
                                Instructions::avx512_vnni, Instructions::avx512_popcnt};

#ifdef EDGELOOP_X86_KERNELS

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool has_avx512_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }

/// GCC 11 does not know its name.
bool has_avx_vnni() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    a = 7;
    c = 1;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    constexpr unsigned avx_vnni = 1U << 4U;
    return has_avx2() && (a & avx_vnni) != 0;
}

const Kernels* find(Instructions instructions) {
    switch (instructions) {
        case Instructions::portable:
            return portable_kernels();
        case Instructions::avx2:
            return has_avx2() ? avx2_kernels() : nullptr;
        case Instructions::avx512:
            return has_avx512() ? avx512_kernels() : nullptr;
        case Instructions::avx_vnni:
            return has_avx_vnni() ? avx_vnni_kernels() : nullptr;
        case Instructions::avx512_vnni:
            return has_avx512_vnni() ? avx512_vnni_kernels() : nullptr;
        case Instructions::avx512_popcnt:
            return has_avx512_vnni() && __builtin_cpu_supports("avx512vpopcntdq")
                       ? avx512_popcnt_kernels()
                       : nullptr;
    }
    return nullptr;
}

#else

const Kernels* find(Instructions instructions) {
    return instructions == Instructions::portable ? portable_kernels() : nullptr;
}

#endif

}  // namespace

bool has(Instructions instructions) { return find(instructions) != nullptr; }

std::vector<Instructions> available_instructions() {
    std::vector<Instructions> found;
    for (const Instructions instructions : all)
        if (has(instructions)) found.push_back(instructions);
    return found;
}

Instructions best_instructions() {
    const char* const wish = std::getenv("EDGELOOP_INSTRUCTIONS");
    if (wish == nullptr || *wish == '\0') return available_instructions().back();
    const Instructions wished = instructions_from(wish);
    if (!has(wished))
        throw ConfigError(fmt::format("EDGELOOP_INSTRUCTIONS: this processor has no {}", wish));
    return wished;
}

const char* to_string(Instructions instructions) {
    constexpr const char* names[] = {"portable", "avx2",        "avx512",
                                     "avx-vnni", "avx512-vnni", "avx512-popcnt"};
    return names[static_cast<std::size_t>(instructions)];
}

Instructions instructions_from(const std::string& name) {
    for (const Instructions instructions : all)
        if (name == to_string(instructions)) return instructions;
    throw ConfigError(fmt::format("unknown instruction set '{}'", name), {},
                      "use portable, avx2, avx512, avx-vnni, avx512-vnni or avx512-popcnt");
}

const Kernels& kernels_of(Instructions instructions) {
    const Kernels* const found = find(instructions);
    EDGELOOP_EXPECT(found != nullptr, "instructions that this processor does not have");
    return *found;
}

}  // namespace edgeloop::inference
