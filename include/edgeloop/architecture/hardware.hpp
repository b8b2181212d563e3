#pragma once

#include "edgeloop/architecture/field.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// How a network becomes a circuit: what a design says of its accelerator (src/accelerator).
struct Hardware {
    int cycles = 10000;
    std::string weights = "lut";
    std::string multipliers = "logic";

    [[nodiscard]] std::vector<Field> fields() {
        return {
            {"cycles",
             cycles,
             {1, 1e9},
             "clock cycles a frame of the clip that no layer may exceed; gives their parallelism"},
            {"weights", weights, {"lut", "bram"}, "where the weights lie"},
            {"multipliers", multipliers, {"logic", "dsp"}, "what multiplies"},
        };
    }
    [[nodiscard]] bool operator==(const Hardware& other) const {
        return cycles == other.cycles && weights == other.weights &&
               multipliers == other.multipliers;
    }
};

}  // namespace edgeloop
