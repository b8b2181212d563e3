#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::inference {

/// Instruction sets that kernels are written for, the best last. NEON is what `portable` compiles
/// to on arm64.
enum class Instructions : std::uint8_t {
    portable,
    avx2,           ///< with FMA
    avx512,         ///< F, BW, DQ, VL
    avx_vnni,       ///< AVX2 with AVX-VNNI
    avx512_vnni,    ///< with VNNI
    avx512_popcnt,  ///< with VNNI and VPOPCNTDQ
};

/// Whether this processor and this build have them.
[[nodiscard]] bool has(Instructions instructions);
/// All that this processor has, `portable` first.
[[nodiscard]] std::vector<Instructions> available_instructions();
/// The last of these, or what the environment variable EDGELOOP_INSTRUCTIONS names.
/// @throws ConfigError  it names none that this processor has.
[[nodiscard]] Instructions best_instructions();

[[nodiscard]] const char* to_string(Instructions instructions);
/// @throws ConfigError  unknown name.
[[nodiscard]] Instructions instructions_from(const std::string& name);

}  // namespace edgeloop::inference
