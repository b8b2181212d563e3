#pragma once

#include "edgeloop/accelerator/circuit.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::accelerator {

struct TextOfFile {
    std::string name, text;
};

/// The circuit as Verilog that Verilator 5.006, yosys 0.23, Icarus 11 and later ones accept: one
/// file a module, `accelerator` on top. The same circuit gives the same bytes.
[[nodiscard]] std::vector<TextOfFile> rtl_of(const Circuit& circuit);

/// Clips, with what the pipeline must answer for each of them.
struct TestVectors {
    std::vector<std::vector<std::uint8_t>> clips;    ///< (T, H, W)
    std::vector<std::vector<std::int32_t>> answers;  ///< accumulators of the last layer
};
/// By the reference of the integers (inference/reference.hpp).
/// @throws ConfigError  a clip of another size.
[[nodiscard]] TestVectors test_vectors_of(const Circuit& circuit,
                                          std::vector<std::vector<std::uint8_t>> clips);
/// Clips of noise, of one grey value and of moving spots, always the same.
[[nodiscard]] std::vector<std::vector<std::uint8_t>> sample_clips(const Circuit& circuit,
                                                                  std::size_t count);

/// The clip that a network reads, of a camera's crops: as they are, or normalised and resized as
/// inference's Session rounds them.
/// @param crops  (frames, crop_side, crop_side).
[[nodiscard]] std::vector<std::uint8_t> clip_of_crops(const inference::Graph& graph,
                                                      const std::uint8_t* crops);

/// A test bench that offers the clips, holds all answers against the expected ones and says the
/// cycle of each: testbench.v, clips.hex, answers.hex, and main.cpp, its clock in Verilator.
[[nodiscard]] std::vector<TextOfFile> test_bench_of(const Circuit& circuit,
                                                    const TestVectors& vectors);

/// All of a design's folder: the circuit, its test bench, the files of each tool and a README.
/// @param costs  lines for the README.
[[nodiscard]] std::vector<TextOfFile> folder_of(const Circuit& circuit, const TestVectors& vectors,
                                                const std::string& costs);

}  // namespace edgeloop::accelerator
