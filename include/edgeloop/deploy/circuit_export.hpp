#pragma once

#include "edgeloop/deploy/stored_network.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace edgeloop {

/// A network as the Verilog of an accelerator (src/accelerator).
struct CircuitRequest {
    StoredNetwork network;    ///< as for export_model()
    std::string native_file;  ///< instead of it: an .elm file
    std::string part = "zynq7020";
    std::optional<int> cycles;         ///< instead of what the design says
    std::string weights, multipliers;  ///< the same; empty: as it says
    std::string data;  ///< folder of shards, whose clips the test bench shows; empty: made-up ones
    std::size_t clips = 4;
    bool simulate = false, synthesise = false, place = false;
    double seconds = 600;  ///< that each tool may take
    std::string output;    ///< folder, which must not be there
};

/// Writes the folder: a file for each layer, a test bench with clips and expected answers, the
/// network as an .elm file, a record of what it costs, and a README.
/// @return  for people, a line each.
/// @throws ConfigError  a network that has no circuit, a part that is not known or too small, a
/// folder
///                      that is there; IoError: a tool that is absent, failed or reached its limit.
///                      Nothing is written then.
std::string export_circuit(const CircuitRequest& request);

}  // namespace edgeloop
